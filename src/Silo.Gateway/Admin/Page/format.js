// Figures as people read them. What is not known is a dash.

const dash = '–';
const whole = new Intl.NumberFormat('en');
const one = new Intl.NumberFormat('en', { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const count = value => value == null ? dash : whole.format(value);

export function bytes(value) {
  if (value == null) return dash;
  let unit = 0;
  for (; value >= 1000 && unit < 4; unit++) value /= 1000;
  return `${unit > 0 && value < 100 ? one.format(value) : whole.format(Math.round(value))} ${['B', 'kB', 'MB', 'GB', 'TB'][unit]}`;
}

// "0.4 s", "12 s", "3 min", "2 h": how long something lasts.
export function duration(seconds) {
  if (seconds == null) return dash;
  if (seconds < 0.05) return '0 s';
  if (seconds < 10) return `${one.format(seconds)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

// "4:05": what is left of a time.
export function countdown(seconds) {
  if (seconds == null) return dash;
  const left = Math.max(0, Math.ceil(seconds));
  return left < 3600 ? `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}` : duration(left);
}

export const milliseconds = value => `${value < 10 ? one.format(value) : whole.format(Math.round(value))} ms`;

const clockFormat = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' });
export const clock = time => clockFormat.format(time);

// Orleans writes S127.0.0.1:11111:154479030; the last part only tells apart those that were at this address before.
export const silo = address => /^S(.+):\d+$/.exec(address)?.[1] ?? address;

export const short = text => text == null ? dash : text.slice(0, 8);

export const dashIfNone = value => value ?? dash;
