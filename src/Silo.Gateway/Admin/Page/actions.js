// What can be done with a database. Nothing is done before it was said what it means and that was confirmed.
import { $, element, text } from './elements.js';
import { call } from './session.js';

const dialog = $('#confirm'), which = $('#which');

const actions = {
  warm: { title: 'Warm', verb: 'Warm', says: 'opened now, and put away again after its idle time. It uses memory until then.', done: 'is being opened.' },
  deactivate: { title: 'Deactivate', verb: 'Deactivate', says: 'uploaded to its end and put away; its local file is deleted. Requests that come later open it again.', done: 'is being put away.' },
  export: { title: 'Export', verb: 'Export', says: 'copied on its silo and downloaded as one SQLite file with everything in it. It stays in use meanwhile.', done: 'is being exported; the browser saves it.' },
};

// Asks, and does it; without an organization it is asked for.
export async function act(action, organization, say) {
  const { done } = actions[action];
  const chosen = await confirm(action, organization);
  if (!chosen) return false;
  try {
    if (action === 'export') element('a', { href: `/admin/export/${encodeURIComponent(chosen)}`, download: `${chosen}.db` }).click();
    else await call(`/api/admin/databases/${encodeURIComponent(chosen)}/${action}`, { method: 'POST' });
    say(`${chosen} ${done}`);
    return true;
  } catch (failure) {
    say(`${chosen}: ${failure.message}`, true);
    return false;
  }
}

function confirm(action, organization) {
  const { title, verb, says } = actions[action], form = $('form', dialog), ends = new AbortController();
  text($('h2', dialog), organization ? `${title} ${organization}?` : `${title} a database`);
  text($('p', dialog), `${organization ?? 'The database'} is ${says}`);
  text($('.primary', dialog), verb);
  which.closest('label').hidden = Boolean(organization);
  which.required = !organization;
  which.value = '';
  dialog.showModal();
  (organization ? $('.cancel', dialog) : which).focus();
  return new Promise(resolve => {
    const listen = (target, name, then) => target.addEventListener(name, then, { signal: ends.signal });
    let chosen = null;
    listen(form, 'submit', event => {
      event.preventDefault();
      chosen = organization ?? which.value.trim();
      dialog.close();
    });
    listen($('.cancel', dialog), 'click', () => dialog.close());
    listen(dialog, 'close', () => {
      ends.abort();
      resolve(chosen);
    });
  });
}
