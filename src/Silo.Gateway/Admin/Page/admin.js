// The page: asks the gateway every two seconds while somebody looks, and shows what has changed.
import { $, element, list, text } from './elements.js';
import * as as from './format.js';
import { act } from './actions.js';
import { Detail } from './detail.js';
import { Fleet } from './fleet.js';
import { call, isOver, SessionOver, start } from './session.js';
import { Table } from './table.js';
import { failedMigrations, showWork } from './work.js';

const interval = 2_000;      // between an answer and the next question; what counts down does so with the answers, since each frame costs the browser some 10 ms
const migrationInterval = 10_000;
const patience = 10_000;     // longest wait after a question that was not answered
const share = 20;            // of the time, one part at most is spent on the page
const maxProblems = 6;

const fleet = new Fleet();
const table = new Table(fleet, organization => detail.open(organization));
const detail = new Detail(fleet, (action, organization) => doIt(action, organization), organization => table.focus(organization));
let migrations = null, migrationsAt = 0, timer, failures = 0, failed = null, isAsking = false;

async function refresh() {
  clearTimeout(timer);
  if (isAsking || isOver() || document.hidden) return;
  isAsking = true;
  let wait = interval;
  try {
    const response = await call('/api/admin/databases');
    const { items } = await response.json();
    const begun = performance.now();
    fleet.update(items, Date.parse(response.headers.get('date')) || Date.now());
    if (Date.now() - migrationsAt > migrationInterval) {
      migrations = await (await call('/api/admin/migrations?limit=500')).json();
      migrationsAt = Date.now();
    }
    [failures, failed] = [0, null];
    $('main').hidden = false;
    await show();
    wait = Math.max(interval, (performance.now() - begun) * share);
  } catch (failure) {
    if (failure instanceof SessionOver) return;
    failed = failure.message;
    wait = Math.min(patience, interval * 2 ** failures++);
    if (!fleet.databases.size) $('main').hidden = false;
    showProblems();
  } finally {
    isAsking = false;
    showFreshness();
  }
  timer = setTimeout(refresh, wait);
}

async function show() {
  showProblems();
  showSilos();
  showWork(fleet, migrations);
  detail.show();
  await table.show();
}

function showProblems() {
  const all = [...failed ? [{ key: 'gateway', bad: true, text: `What is shown is old: ${failed}` }] : [], ...fleet.problems(), ...failedMigrations(migrations)];
  const shown = all.slice(0, maxProblems);
  if (all.length > shown.length) shown.push({ key: 'more', kind: 'any', text: `${as.count(all.length - shown.length)} more.` });
  text($('#problems-title'), all.length ? (all.length === 1 ? '1 problem' : `${as.count(all.length)} problems`) : 'No problems');
  $('#problems').dataset.level = all.some(problem => problem.bad) ? 'bad' : all.length ? 'warn' : 'good';
  list($('#problems ul'), shown, problem => problem.key,
    problem => element('li', {}, ...problem.organization || problem.kind
      ? [element('button', { type: 'button', onclick: () => problem.organization ? detail.open(problem.organization) : showOnly(problem.kind) }, problem.organization ?? 'Show'), ' '] : [], element('span')),
    (made, problem) => {
      text(made.lastChild, problem.text);
      made.className = problem.bad ? 'bad' : 'warn';
    });
}

function showOnly(problem) {
  $('#kind').value = 'problems';
  table.filter = { ...table.filter, kind: 'problems', problem: problem === 'any' ? null : problem };
  table.show();
  $('#table').scrollIntoView();
}

function showSilos() {
  const silos = fleet.bySilo();
  const all = { address: null, active: fleet.databases.size, bytes: sum(silos, 'bytes'), lag: Math.max(0, ...silos.map(silo => silo.lag)), problems: sum(silos, 'problems') };
  if (table.filter.silo && !silos.some(silo => silo.address === table.filter.silo)) table.filter.silo = null;
  list($('#silos'), [all, ...silos], silo => silo.address,
    silo => element('button', { type: 'button', title: silo.address, onclick: () => showSilo(silo.address) }, element('b', {}, silo.address ? as.silo(silo.address) : 'All silos'), element('strong'), element('span'), element('em')),
    (made, silo) => {
      made.setAttribute('aria-pressed', table.filter.silo === silo.address);
      text(made.children[1], as.count(silo.active));
      text(made.children[2], `${as.bytes(silo.bytes)} · lag ${as.duration(silo.lag)}`);
      text(made.children[3], silo.problems ? `${as.count(silo.problems)} with a problem` : '');
    });
}

function showSilo(address) {
  table.filter.silo = table.filter.silo === address ? null : address;
  showSilos();
  table.show();
}

const sum = (items, key) => items.reduce((total, item) => total + item[key], 0);

function showFreshness() {
  text($('#freshness'), failed ? 'The gateway does not answer' : isOver() ? 'Signed out' : `Live, ${as.clock(Date.now())}`);
  $('#freshness').dataset.level = failed ? 'bad' : 'good';
}

async function doIt(action, organization) {
  if (await act(action, organization, say)) refresh();
}

let quiet;
function say(words, isBad = false) {
  const notice = $('#notice');
  notice.textContent = words;
  notice.className = isBad ? 'bad' : '';
  clearTimeout(quiet);
  quiet = setTimeout(() => notice.textContent = '', 8_000);
}

$('#filter').addEventListener('submit', event => event.preventDefault());
$('#filter').addEventListener('input', event => {
  if (event.target === $('#sort')) return;
  table.filter = { ...table.filter, words: $('#words').value, kind: $('#kind').value, problem: null };
  table.show();
});
$('#warm').addEventListener('click', () => doIt('warm'));
document.addEventListener('keydown', event => {
  if (event.key !== '/' || event.target.matches('input, select') || $('dialog[open]')) return;
  event.preventDefault();
  $('#words').focus();
});
document.addEventListener('visibilitychange', refresh);
start(refresh);
