// Imports and migrations that have not ended.
import { $, element, list, text } from './elements.js';
import * as as from './format.js';

const section = $('#work');

export function showWork(fleet, migrations) {
  const items = [...importsOf(fleet), ...migrationsOf(migrations)];
  section.hidden = items.length === 0;
  list($('ul', section), items, item => item.key,
    () => element('li', {}, element('b'), element('span'), element('progress'), element('small')),
    (made, item) => {
      const [name, what, progress, figures] = made.children;
      text(name, item.organization);
      text(what, item.what);
      text(figures, item.figures);
      progress.setAttribute('aria-label', item.what);
      // Without an end there is nothing to draw; a bar that moves for ever would cost more than all the rest of the page.
      progress.max = item.total ?? 1;
      progress.value = item.total ? item.done : 0;
      progress.className = item.total ? '' : 'unknown';
    });
}

function* importsOf(fleet) {
  for (const { organization, status } of fleet.databases.values()) {
    for (const run of status.imports) {
      const phase = run.state === 'queued' ? 'import waits' : `import, ${run.phase ?? run.state}`;
      yield {
        key: run.id, organization, what: phase, done: run.processed, total: run.total,
        figures: `${as.count(run.processed)}${run.total ? ` of ${as.count(run.total)}` : ''} rows, ${as.count(Math.round(run.rowsPerSecond))}/s, ${as.bytes(run.received)}`,
      };
    }
  }
}

const kinds = { migrate: 'migration', rehearse: 'rehearsal of a migration', verify: 'verification', rollBack: 'way back to Turso', inspect: 'inspection' };

function* migrationsOf(migrations) {
  for (const run of migrations?.items ?? []) {
    if (run.finishedAt) continue;
    yield {
      key: run.operationId, organization: run.organization, what: `${kinds[run.kind] ?? run.kind}, ${run.step}${run.table ? ` ${run.table}` : ''}`,
      figures: `${as.count(run.stepRows)} rows, since ${as.clock(Date.parse(run.startedAt))}`,
    };
  }
}

// Those whose last attempt failed, as problems; and that there are more than this page is told of, which are the first by organization.
export function failedMigrations(migrations) {
  if (!migrations) return [];
  const { items, running, failed } = migrations;
  const shown = items.filter(run => run.problem)
    .map(run => ({ key: `migration ${run.operationId}`, bad: false, organization: run.organization, text: `The last ${kinds[run.kind] ?? run.kind} failed: ${run.problem}` }));
  const more = { running: running - items.filter(run => !run.finishedAt).length, failed: failed - items.filter(run => run.step === 'failed').length };
  if (migrations.nextCursor && (more.running > 0 || more.failed > 0))
    shown.push({ key: 'more migrations', bad: false, text: `Of migrations that are not shown here, ${as.count(more.failed)} have failed and ${as.count(more.running)} run: see GET /api/admin/migrations.` });
  return shown;
}
