// The rows. A row is made once and then changed in place, cell by cell, and only while it is on the screen or near it: a thousand
// organizations cost as much as those that are seen.
import { $, element, line, list, text } from './elements.js';
import * as as from './format.js';
import { samples } from './fleet.js';

const slice = 80; // rows made in one go; between two the browser may paint and listen
const svg = 'http://www.w3.org/2000/svg';

// `text` is what the cell says, `by` what it is sorted by.
const columns = [
  { name: 'Organization', key: 'organization', by: database => database.organization },
  { name: 'Silo', key: 'silo', text: ({ status }) => as.silo(status.silo), by: ({ status }) => status.silo },
  { name: 'Size', key: 'size', number: true, text: ({ status }) => as.bytes(isTurso(status) ? null : status.databaseBytes), by: ({ status }) => status.databaseBytes },
  { name: 'WAL', key: 'wal', number: true, text: ({ status }) => as.bytes(isTurso(status) ? null : status.walBytes), by: ({ status }) => status.walBytes },
  { name: 'Lag', key: 'lag', number: true, text: ({ status }) => as.duration(isTurso(status) ? null : status.replicationLagSeconds), by: ({ status }) => status.replicationLagSeconds },
  { name: 'Durability', key: 'durability', text: ({ status }) => as.dashIfNone(isTurso(status) ? 'Turso' : status.durability), by: ({ status }) => status.durability ?? '' },
  { name: 'Epoch', key: 'epoch', number: true, text: ({ status }) => as.count(status.epoch), by: ({ status }) => status.epoch ?? -1 },
  { name: 'Generation', key: 'generation', text: ({ status }) => as.short(status.generation), by: ({ status }) => status.generation ?? '' },
  { name: 'Lease left', key: 'lease', number: true, soonest: true, text: (database, fleet) => as.countdown(fleet.leaseLeft(database)), by: (database, fleet) => fleet.leaseLeft(database) ?? Infinity },
  { name: 'Put away in', key: 'idle', number: true, soonest: true, text: (database, fleet) => as.countdown(fleet.idleLeft(database)), by: (database, fleet) => fleet.idleLeft(database) ?? Infinity },
  { name: 'Requests', key: 'requests', number: true, text: ({ status }) => as.count(status.reads + status.writes), by: ({ status }) => status.reads + status.writes },
];

const kinds = {
  all: () => true,
  problems: database => database.problems.length > 0,
  behind: ({ status }) => status.replicationLagSeconds >= 1,
  unsettled: ({ status }) => status.state !== 'active',
  importing: ({ status }) => status.imports.length > 0,
};

const isTurso = status => status.dbType === 'turso';

export class Table {
  #rows = new Map();
  #visible = new Set();
  #shown = [];
  #current = null; // the row that Tab goes to
  #sort = { column: columns[0], descending: false };
  #running = null;
  #again = false;
  #body = $('#rows');
  #seen = new IntersectionObserver(entries => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.#visible.add(target.row);
      else this.#visible.delete(target.row);
      if (isIntersecting && target.row.isStale) this.#fill(target.row);
    }
  }, { rootMargin: '300px' });

  constructor(fleet, open) {
    this.fleet = fleet;
    this.open = open;
    this.filter = { words: '', kind: 'all', silo: null, problem: null };
    this.#makeHead();
    this.#body.addEventListener('keydown', event => this.#move(event));
    this.#body.addEventListener('focusin', event => this.#makeCurrent(event.target.closest('.row')?.row));
    this.#body.addEventListener('click', event => {
      const row = event.target.closest('.row')?.row;
      if (row && !getSelection().toString()) open(row.database.organization);
    });
  }

  // Shows the fleet as it is now. Called while it still makes rows, it begins anew afterwards.
  async show() {
    this.#again = true;
    this.#running ??= this.#run();
    await this.#running;
  }

  focus = organization => this.#rows.get(organization)?.button.focus();

  async #run() {
    while (this.#again) {
      this.#again = false;
      await this.#showOnce();
    }
    this.#running = null;
  }

  async #showOnce() {
    const { words, kind, silo, problem } = this.filter, asked = words.toLowerCase().split(/\s+/).filter(word => word);
    this.#shown = [...this.fleet.databases.values()].filter(database => kinds[kind](database)
      && (!silo || database.status.silo === silo)
      && (!problem || database.problems.some(one => one.kind === problem))
      && asked.every(word => database.search.includes(word)));
    this.#order(this.#shown);
    text($('#count'), this.#shown.length === this.fleet.databases.size ? `${as.count(this.#shown.length)} databases` : `${as.count(this.#shown.length)} of ${as.count(this.fleet.databases.size)} databases`);
    $('#none').hidden = this.#shown.length > 0;
    text($('#none'), this.fleet.databases.size ? 'No database is like this.' : 'No database is active. The first request of an organization opens its own.');
    $('#table').setAttribute('aria-rowcount', this.#shown.length + 1);

    const kept = new Set(this.#shown.map(database => database.organization));
    for (const [organization, row] of this.#rows) {
      if (kept.has(organization)) continue;
      if (!this.fleet.databases.has(organization)) {
        this.#rows.delete(organization);
        this.#seen.unobserve(row.element);
      }
      this.#visible.delete(row);
      row.element.remove();
    }

    const focused = this.#body.contains(document.activeElement) ? document.activeElement : null;
    let place = this.#body.firstElementChild, made = 0;
    for (const database of this.#shown) {
      let row = this.#rows.get(database.organization);
      if (!row) {
        if (++made % slice === 0) {
          await new Promise(resolve => setTimeout(resolve));
          // Something newer is to be shown; what was made stays.
          if (this.#again) return;
        }
        this.#rows.set(database.organization, row = this.#make(database));
      }
      row.database = database;
      if (row.element === place) place = place.nextElementSibling;
      else this.#body.insertBefore(row.element, place);
      if (this.#visible.has(row) || row.isNew) this.#fill(row);
      else row.isStale = true;
    }
    if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true }); // moved, it lost it
    if (!this.#current?.element.isConnected) this.#makeCurrent(this.#body.firstElementChild?.row);
  }

  #order(databases) {
    const { column, descending } = this.#sort, sign = descending ? -1 : 1;
    const keys = new Map(databases.map(database => [database, column.by(database, this.fleet)]));
    databases.sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      return x < y ? -sign : x > y ? sign : a.organization < b.organization ? -1 : 1;
    });
  }

  #make(database) {
    const made = $('#row').content.firstElementChild.cloneNode(true);
    const row = made.row = { element: made, database, isNew: true, said: [], cells: [], button: $('button', made), state: $('small', made) };
    row.button.textContent = database.organization;
    row.cells.push(null);
    for (const column of columns.slice(1)) {
      const value = document.createElement('span');
      const cell = element('div', { role: 'cell', class: `${column.key}${column.number ? ' number' : ''}`, 'data-name': column.name }, value);
      if (column.key === 'lag') {
        const drawing = document.createElementNS(svg, 'svg');
        drawing.setAttribute('viewBox', '0 0 60 16');
        drawing.setAttribute('aria-hidden', 'true');
        row.spark = drawing.appendChild(document.createElementNS(svg, 'path'));
        cell.prepend(drawing);
      }
      row.cells.push(value);
      made.append(cell);
    }
    this.#seen.observe(made);
    return row;
  }

  #fill(row) {
    const { database } = row;
    row.isNew = row.isStale = false;
    columns.forEach((column, index) => { if (column.text) put(row, index, column.text(database, this.fleet)); });
    if (row.level !== database.level) row.element.dataset.level = row.level = database.level;
    text(row.state, database.status.state === 'active' ? '' : database.status.state);
    const drawn = isTurso(database.status) ? '' : line(database.lag.slice(-samples / 2), samples / 2, 60, 16, 1);
    if (row.drawn !== drawn) row.spark.setAttribute('d', row.drawn = drawn);
  }

  #makeHead() {
    const head = $('.row.head');
    for (const column of columns) {
      column.head = element('div', { role: 'columnheader', class: `${column.key}${column.number ? ' number' : ''}` },
        element('button', { type: 'button', onclick: () => this.#sortBy(column) }, column.name));
      head.append(column.head);
    }
    const select = $('#sort');
    list(select, columns.flatMap(column => [{ column, descending: false }, { column, descending: true }]), ({ column, descending }) => `${column.key} ${descending}`,
      ({ column, descending }) => element('option', {}, `${column.name} ${descending ? '↓' : '↑'}`), () => {});
    select.addEventListener('change', () => {
      this.#sort = { column: columns[select.selectedIndex >> 1], descending: (select.selectedIndex & 1) === 1 };
      this.#sorted();
    });
    this.#sorted();
  }

  // First the way that shows what is worst: the largest, what ends soonest; names from A.
  #sortBy(column) {
    this.#sort = { column, descending: this.#sort.column === column ? !this.#sort.descending : Boolean(column.number) && !column.soonest };
    this.#sorted();
  }

  #sorted() {
    const { column, descending } = this.#sort;
    for (const each of columns) each.head.setAttribute('aria-sort', each !== column ? 'none' : descending ? 'descending' : 'ascending');
    $('#sort').selectedIndex = columns.indexOf(column) * 2 + (descending ? 1 : 0);
    if (this.fleet.databases.size) this.show();
  }

  #makeCurrent(row) {
    if (!row || row === this.#current) return;
    if (this.#current) this.#current.button.tabIndex = -1;
    this.#current = row;
    row.button.tabIndex = 0;
  }

  #move(event) {
    const here = event.target.closest('.row');
    if (!here || event.altKey || event.ctrlKey || event.metaKey) return;
    const page = 10;
    const all = this.#body.children, index = Array.prototype.indexOf.call(all, here);
    const to = { ArrowDown: index + 1, ArrowUp: index - 1, PageDown: index + page, PageUp: index - page, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const row = all[Math.max(0, Math.min(all.length - 1, to))].row;
    row.button.focus({ preventScroll: true });
    row.element.scrollIntoView({ block: 'nearest' });
  }
}

function put(row, index, value) {
  if (row.said[index] === value) return;
  row.cells[index].textContent = row.said[index] = value;
}
