// What is known of the databases: what the gateway last said, and what this page saw change since it was opened.
import { bytes, duration } from './format.js';

export const samples = 120; // of the lag, for each database
const maxEvents = 20;
const behindSeconds = 30;  // as the alert in config/ has it
const slowOpenSeconds = 30;
const shortLeaseSeconds = 5;

export class Fleet {
  databases = new Map();
  clockOffset = 0; // of the gateway's clock against ours, in milliseconds

  // Takes in an answer; `at` is when it came, by the gateway's clock.
  update(items, at) {
    this.clockOffset = at - Date.now();
    const seen = new Set();
    for (const status of items) {
      seen.add(status.organization);
      status.imports ??= []; // a silo of an older version does not say
      const known = this.databases.get(status.organization);
      const database = known && known.status.activatedAt === status.activatedAt && known.status.silo === status.silo ? known : { organization: status.organization, lag: [], events: known?.events ?? [] };
      if (known) note(database, known.status, status, at);
      database.rate = known === database ? rate(known, status, at) : null;
      database.status = status;
      database.at = at;
      database.search = `${status.organization} ${status.silo} ${status.generation ?? ''} ${status.state} ${status.dbType ?? ''}`.toLowerCase();
      if (database.lag.push(status.replicationLagSeconds) > samples) database.lag.shift();
      database.problems = problemsOf(database, this);
      database.level = database.problems.some(problem => problem.bad) ? 'bad' : database.problems.length ? 'warn' : status.state === 'active' ? 'good' : 'busy';
      this.databases.set(status.organization, database);
    }
    for (const organization of this.databases.keys()) if (!seen.has(organization)) this.databases.delete(organization);
  }

  get now() { return Date.now() + this.clockOffset; }

  // Seconds until writes would be refused, and until it is put away.
  leaseLeft = ({ status }) => status.leaseExpiresAt ? Math.max(0, (Date.parse(status.leaseExpiresAt) - this.now) / 1000) : null;
  idleLeft = ({ status, at }) => status.idleTimeoutSeconds ? Math.max(0, status.idleTimeoutSeconds - status.idleSeconds - (this.now - at) / 1000) : null;

  bySilo() {
    const silos = new Map();
    for (const { status, level } of this.databases.values()) {
      const silo = silos.get(status.silo) ?? { address: status.silo, active: 0, bytes: 0, lag: 0, problems: 0 };
      silos.set(status.silo, silo);
      silo.active++;
      silo.bytes += status.databaseBytes + status.walBytes;
      silo.lag = Math.max(silo.lag, status.replicationLagSeconds);
      if (level === 'bad' || level === 'warn') silo.problems++;
    }
    return [...silos.values()].sort((a, b) => a.address < b.address ? -1 : 1);
  }

  // Those of many databases are said once.
  problems() {
    const groups = new Map();
    for (const database of this.databases.values()) {
      for (const problem of database.problems) {
        const group = groups.get(problem.kind) ?? { key: problem.kind, bad: problem.bad, many: problem.many, of: [] };
        groups.set(problem.kind, group);
        group.of.push({ organization: database.organization, text: problem.text });
      }
    }
    return [...groups.values()]
      .flatMap(group => group.of.length > 3
        ? [{ key: group.key, bad: group.bad, text: `${group.of.length} databases: ${group.many}`, kind: group.key }]
        : group.of.map(({ organization, text }) => ({ key: `${group.key} ${organization}`, bad: group.bad, organization, text })))
      .sort((a, b) => b.bad - a.bad);
  }
}

function problemsOf(database, fleet) {
  const { status } = database, found = [];
  const add = (kind, bad, text, many = text) => found.push({ kind, bad, text, many });
  if (status.problem) add(status.problem, true, status.problem);
  else if (status.state === 'unavailable') add('unavailable', true, 'It cannot be opened now.', 'cannot be opened now.');
  if (status.replicationLagSeconds >= behindSeconds)
    add('behind', true, `The bucket is ${duration(status.replicationLagSeconds)} behind (${bytes(status.replicationLagBytes)}).`, `the bucket is more than ${behindSeconds} s behind.`);
  const lease = fleet.leaseLeft(database);
  if (status.state === 'active' && lease != null && lease < shortLeaseSeconds)
    lease > 0 ? add('lease', false, `Its lease ends in ${duration(lease)} unless it is renewed; then writes are refused.`, `the lease ends in less than ${shortLeaseSeconds} s unless it is renewed.`)
      : add('no-lease', true, 'Its lease has run out: writes are refused until it is renewed.', 'the lease has run out; writes are refused.');
  if (status.state === 'activating' && fleet.now - Date.parse(status.activatedAt) > slowOpenSeconds * 1000)
    add('slow', false, `It has been opening for ${duration((fleet.now - Date.parse(status.activatedAt)) / 1000)}.`, `have been opening for more than ${slowOpenSeconds} s.`);
  if (status.litestreamKills > 0) add('killed', false, `Its Litestream hung and had to be killed${status.litestreamKills > 1 ? ` ${status.litestreamKills} times` : ''}.`, 'a Litestream hung and had to be killed.');
  return found;
}

function note(database, before, after, at) {
  const add = text => {
    if (database.events.push({ at, text }) > maxEvents) database.events.shift();
  };
  if (before.silo !== after.silo) add(`Moved here from ${before.silo}`);
  else if (before.activatedAt !== after.activatedAt) add('Opened again');
  if (before.state !== after.state) add(`${before.state} → ${after.state}`);
  if (before.activatedAt === after.activatedAt && before.litestreamRestarts < after.litestreamRestarts)
    add(`Litestream was started again${before.litestreamDeaths < after.litestreamDeaths ? ', since it had ended' : before.litestreamStalls < after.litestreamStalls ? ', since the bucket confirmed nothing' : ''}`);
  if (before.generation !== after.generation && after.generation) add(`Generation ${after.generation.slice(0, 8)} is published`);
  if (before.problem !== after.problem) add(after.problem ?? 'The problem is over');
}

function rate(known, status, at) {
  const seconds = (at - known.at) / 1000;
  return seconds > 0 ? Math.max(0, status.reads + status.writes - known.status.reads - known.status.writes) / seconds : known.rate;
}
