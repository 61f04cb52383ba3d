// One database: what happened to it, and what can be done with it.
import { $, element, line, list, text } from './elements.js';
import * as as from './format.js';
import { samples } from './fleet.js';

const dialog = $('#detail');
const phases = { catalog: 'catalog', room: 'room', lease: 'lease', restore: 'restored', open: 'opened' };

export class Detail {
  #organization = null;

  constructor(fleet, act, closed) {
    this.fleet = fleet;
    $('.close', dialog).addEventListener('click', () => dialog.close());
    dialog.addEventListener('click', event => { if (event.target === dialog) dialog.close(); });
    dialog.addEventListener('close', () => {
      const organization = this.#organization;
      this.#organization = null;
      closed(organization);
    });
    for (const button of dialog.querySelectorAll('[data-action]')) button.addEventListener('click', () => act(button.dataset.action, this.#organization));
  }

  open(organization) {
    this.#organization = organization;
    this.last = null;
    for (const parent of [$('.timeline', dialog), $('dl', dialog)]) parent.scrollTop = 0;
    this.show();
    dialog.showModal();
  }

  // One that is put away while it is looked at stays as it was.
  show() {
    if (!this.#organization) return;
    const found = this.fleet.databases.get(this.#organization), database = found ?? this.last;
    text($('h2', dialog), this.#organization);
    text($('.state', dialog), found ? found.status.state : 'not active');
    dialog.dataset.level = found ? found.level : 'busy';
    for (const button of dialog.querySelectorAll('[data-action]')) button.disabled = button.dataset.action === 'deactivate' ? !found : button.dataset.action === 'warm' && found?.status.state === 'active';
    if (!database) {
      for (const parent of dialog.querySelectorAll('.problems, .timeline, dl')) list(parent, []);
      $('.chart path', dialog).removeAttribute('d');
      text($('.scale', dialog), 'Nothing is known: it was not active since this page was opened.');
      return;
    }
    this.last = database;
    list($('.problems', dialog), found?.problems ?? [], problem => problem.kind, () => element('li'), (item, problem) => {
      text(item, problem.text);
      item.className = problem.bad ? 'bad' : 'warn';
    });
    const highest = Math.max(...database.lag);
    $('.chart path', dialog).setAttribute('d', line(database.lag, samples, 300, 60, 1));
    text($('.scale', dialog), `now ${as.duration(database.status.replicationLagSeconds)}, highest ${as.duration(highest)}`);
    this.#showTimeline(database);
    this.#showNow(database);
  }

  #showTimeline({ status, events }) {
    const steps = Object.entries(status.activationMs), begun = Date.parse(status.activatedAt);
    const took = steps.reduce((sum, [, ms]) => sum + ms, 0);
    const items = [
      { at: begun, text: 'Activated' },
      ...steps.length ? [{ at: begun + took, text: `Served after ${as.milliseconds(took)}`, steps }] : [],
      ...events,
      ...status.lastUploadAt ? [{ at: Date.parse(status.lastUploadAt), text: 'Last upload confirmed by the bucket', isLast: true }] : [],
      ...status.litestreamRestarts ? [{ text: `Litestream was started again ${times(status.litestreamRestarts)} in this activation: ${times(status.litestreamDeaths)} it had ended, ${times(status.litestreamStalls)} the bucket confirmed nothing` }] : [],
    ].sort((a, b) => (a.at ?? Infinity) - (b.at ?? Infinity));
    list($('.timeline', dialog), items, item => item.isLast ? 'upload' : `${item.at} ${item.text}`,
      item => element('li', {}, element('time'), element('span'), ...item.steps ? [bar(item.steps)] : []),
      (made, item) => {
        text(made.firstChild, item.at ? as.clock(item.at) : '');
        text(made.children[1], item.text);
      });
  }

  #showNow(database) {
    const { status } = database;
    const facts = {
      Silo: status.silo, 'Rows are in': status.dbType === 'turso' ? status.tursoUrl ?? 'Turso' : 'SQLite', Durability: as.dashIfNone(status.durability),
      Size: as.bytes(status.databaseBytes), WAL: as.bytes(status.walBytes), 'Not yet in the bucket': `${as.bytes(status.replicationLagBytes)}, ${as.duration(status.replicationLagSeconds)}`,
      Epoch: as.count(status.epoch), Generation: as.dashIfNone(status.generation), 'Lease left': as.countdown(this.fleet.leaseLeft(database)),
      Idle: `${as.duration(status.idleSeconds)} of ${as.duration(status.idleTimeoutSeconds)}`,
      Reads: as.count(status.reads), Writes: as.count(status.writes), 'Requests a second': database.rate == null ? as.dashIfNone(null) : database.rate.toFixed(1),
      'Litestream process': status.litestreamPid ?? '–', 'Litestream pokes': as.count(status.litestreamPokes),
    };
    list($('dl', dialog), Object.entries(facts), ([name]) => name, ([name]) => element('div', {}, element('dt', {}, name), element('dd')), (made, [, value]) => text(made.lastChild, String(value)));
  }
}

const times = number => number === 1 ? 'once' : `${number} times`;

// How long each step of opening took, as parts of a line and in words.
function bar(steps) {
  const most = Math.max(1, ...steps.map(([, ms]) => ms));
  return element('ul', { class: 'phases' }, ...steps.map(([name, ms]) => {
    const part = element('meter', { max: most, value: ms, 'aria-hidden': 'true' });
    return element('li', {}, element('span', {}, `${phases[name] ?? name} in ${as.milliseconds(ms)}`), part);
  }));
}
