// Who has signed in. The token goes into a cookie that no script can read; the page knows only until when it is good.
import { $ } from './elements.js';

const dialog = $('#sign-in'), token = $('#token'), error = $('.error', dialog), why = $('#sign-in-why'), firstWhy = why.textContent;
const longestTimer = 2 ** 31 - 1;
let ends, begun = () => {};

export class SessionOver extends Error {}
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem?.detail ?? `The gateway answered ${status}.`);
    this.status = status;
    this.code = problem?.code;
  }
}

// Calls the gateway. The header is what keeps others' pages from acting with this cookie.
export async function call(path, options = {}) {
  const response = await fetch(path, { ...options, headers: { 'Silo-Admin': '1', ...options.headers } });
  if (response.ok) return response;
  if (response.status === 401 || response.status === 403) {
    ask('The session is over. A token is needed to go on.');
    throw new SessionOver();
  }
  throw new Refusal(response.status, await problemOf(response));
}

export function start(whenBegun) {
  begun = whenBegun;
  const { user, expiresIn } = document.body.dataset;
  if (Number(expiresIn) > 0) begin(user, Number(expiresIn));
  else ask();
}

const problemOf = async response => response.headers.get('content-type')?.startsWith('application/problem+json') ? response.json() : null;

function begin(user, expiresInSeconds) {
  clearTimeout(ends);
  ends = setTimeout(() => ask('The session is over. A token is needed to go on.'), Math.min(expiresInSeconds * 1000, longestTimer));
  $('#user').textContent = user;
  $('#sign-out').hidden = false;
  if (dialog.open) dialog.close();
  begun();
}

function ask(reason) {
  clearTimeout(ends);
  $('#user').textContent = '';
  $('#sign-out').hidden = true;
  if (dialog.open) return;
  for (const other of document.querySelectorAll('dialog[open]')) other.close();
  why.textContent = reason ?? firstWhy;
  error.textContent = '';
  dialog.showModal();
}

export const isOver = () => dialog.open;

dialog.addEventListener('cancel', event => event.preventDefault()); // there is nothing behind it to go back to
$('form', dialog).addEventListener('submit', async event => {
  event.preventDefault();
  error.textContent = '';
  try {
    const response = await fetch('/admin/session', { method: 'POST', headers: { Authorization: `Bearer ${token.value.trim().replace(/^Bearer\s+/i, '')}` } });
    if (response.ok) {
      token.value = '';
      const { user, expiresInSeconds } = await response.json();
      begin(user, expiresInSeconds);
    } else if (response.status === 401) error.textContent = 'This token is not good, or no longer.';
    else if (response.status === 403) error.textContent = 'This token is good, but not an operator\'s.';
    else error.textContent = new Refusal(response.status, await problemOf(response)).message;
  } catch (failure) {
    error.textContent = `The gateway cannot be reached (${failure.message}).`;
  }
});

$('#sign-out').addEventListener('click', async () => {
  await fetch('/admin/session', { method: 'DELETE' });
  ask();
});
