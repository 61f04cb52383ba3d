// The little that is needed of a library of elements. Text is set as text, never as HTML; the page's policy (trusted types) would refuse it.

export const $ = (selector, within = document) => within.querySelector(selector);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith('on')) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, '');
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

// Sets it only if it changes: an unchanged text costs no layout, and a screen reader does not say it again.
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

// Makes the children of a list those of the items, in their order, and keeps the elements of those that stay.
export function list(parent, items, keyOf, make, update) {
  const had = parent.made ??= new Map();
  const keys = new Set(items.map(keyOf));
  for (const [key, child] of had) {
    if (keys.has(key)) continue;
    child.remove();
    had.delete(key);
  }
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = had.get(key);
    if (!child) had.set(key, child = make(item));
    update(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
}

// A line through the samples, as the path of an SVG.
export function line(samples, most, width, height, ceiling) {
  if (samples.length === 0) return '';
  const step = width / (most - 1), top = Math.max(ceiling, ...samples), from = width - (samples.length - 1) * step;
  return samples.map((value, index) => `${index ? 'L' : 'M'}${(from + index * step).toFixed(1)} ${(height - 1 - value / top * (height - 2)).toFixed(1)}`).join('');
}
