// What htmx does not do: the keyboard, the palette, dropped files, live progress, the time zone.
// Everything here is a comfort; pages do their work without it.
'use strict';
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const one = (selector) => document.querySelector(selector);

  // The server writes times in this zone from the next page on; this page is told now.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const root = document.documentElement;
  const toZone = (from) => {
    if (!zone || root.dataset.zone === zone) return;
    for (const time of all('time', from)) {
      if (time.dataset.zoned) continue;
      const at = new Date(time.dateTime);
      if (isNaN(at)) continue;
      const seconds = /:\d\d:\d\d/.test(time.textContent);
      const parts = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: seconds ? 'medium' : 'short' });
      time.textContent = parts.format(at);
      time.dataset.zoned = '1';
    }
  };
  if (zone) document.cookie = `zone=${zone.replaceAll('/', '%2F')}; path=/; max-age=31536000; samesite=lax`;
  toZone(document);
  document.addEventListener('htmx:after:swap', () => toZone(document));

  for (const element of all('.needs-script')) element.hidden = false;
  one('[data-focus]')?.focus();

  // Menus close when something else is clicked.
  document.addEventListener('click', (event) => {
    for (const menu of all('details[data-menu][open]')) if (!menu.contains(event.target)) menu.open = false;
    const opener = event.target.closest('[data-open]');
    if (opener) open(opener.dataset.open);
    const confirming = event.target.closest('[data-confirm]');
    if (confirming && !window.confirm(confirming.dataset.confirm)) event.preventDefault();
    if (event.target.closest('[data-print]')) window.print();
  });
  document.addEventListener('change', (event) => {
    if (event.target.matches('[data-submit]')) event.target.form.requestSubmit();
  });

  const open = (name) => {
    const dialog = one(`#${name}`);
    if (!dialog || dialog.open) return;
    if (name === 'palette') fill('');
    dialog.showModal();
  };

  // The palette: every link and button of the page that has a name for it.
  let found = [];
  let chosen = 0;
  const text = one('#palette-text');
  const list = one('#palette-list');
  const commands = () => {
    const known = new Map();
    for (const element of all('[data-command]')) {
      const label = element.dataset.command || element.textContent.trim().replace(/\s+/g, ' ');
      if (label && !known.has(label)) known.set(label, element);
    }
    return [...known];
  };
  const fill = (wanted) => {
    const words = wanted.toLowerCase().split(/\s+/).filter(Boolean);
    found = commands().filter(([label]) => words.every((word) => label.toLowerCase().includes(word)));
    // What begins as it was typed comes first; otherwise as on the page.
    const rank = ([label]) => (label.toLowerCase().startsWith(wanted.toLowerCase().trim()) ? 0 : 1);
    found.sort((one, other) => rank(one) - rank(other));
    chosen = 0;
    list.replaceChildren(...found.map(([label], i) => {
      const item = document.createElement('li');
      item.id = `palette-${i}`;
      item.setAttribute('role', 'option');
      item.textContent = label;
      item.addEventListener('click', () => run(i));
      return item;
    }));
    choose(0);
  };
  const choose = (i) => {
    if (!found.length) return;
    chosen = (i + found.length) % found.length;
    [...list.children].forEach((item, at) => item.setAttribute('aria-selected', at === chosen));
    text.setAttribute('aria-activedescendant', `palette-${chosen}`);
    list.children[chosen].scrollIntoView({ block: 'nearest' });
  };
  const run = (i) => {
    one('#palette').close();
    text.value = '';
    found[i]?.[1].click();
  };
  text?.addEventListener('input', () => fill(text.value));
  text?.addEventListener('keydown', (event) => {
    if (event.key === 'ArrowDown') choose(chosen + 1);
    else if (event.key === 'ArrowUp') choose(chosen - 1);
    else if (event.key === 'Enter') run(chosen);
    else return;
    event.preventDefault();
  });

  // Lists: j and k move, Enter opens.
  const move = (by) => {
    const items = all('[data-list] [data-item]');
    if (!items.length) return;
    const at = items.findIndex((item) => item.contains(document.activeElement));
    const next = items[Math.min(Math.max(at < 0 ? (by > 0 ? 0 : items.length - 1) : at + by, 0), items.length - 1)];
    (next.querySelector('a, summary, button') || next).focus();
  };
  document.addEventListener('focusin', (event) => {
    for (const item of all('[data-item].current')) item.classList.remove('current');
    event.target.closest?.('[data-item]')?.classList.add('current');
  });
  document.addEventListener('keydown', (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault();
      open('palette');
      return;
    }
    if (event.key === 'Escape') for (const menu of all('details[data-menu][open]')) menu.open = false;
    const typing = event.target.closest('input:not([type=radio], [type=checkbox], [type=file]), textarea, select, dialog[open]');
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '?') open('help');
    else if (event.key === 'j') move(1);
    else if (event.key === 'k') move(-1);
    else if (event.key === '/' && one('.filters input')) one('.filters input:not([type=hidden])').focus();
    else return;
    event.preventDefault();
  });

  // Dropping files: on a field, or two at once anywhere on the form.
  const show = (field) => {
    const zone = field.closest('.drop');
    const file = field.files[0];
    zone.classList.toggle('has', !!file);
    const says = zone.querySelector('[data-file]');
    if (says && file) says.textContent = `${file.name}, ${(file.size / 1024).toLocaleString(undefined, { maximumFractionDigits: 1 })} KB`;
  };
  const put = (field, file) => {
    const files = new DataTransfer();
    files.items.add(file);
    field.files = files.files;
    show(field);
  };
  for (const form of all('form[data-drop]')) {
    const fields = all('.drop input[type=file]', form);
    form.addEventListener('change', (event) => { if (fields.includes(event.target)) show(event.target); });
    form.addEventListener('dragover', (event) => {
      event.preventDefault();
      for (const zone of all('.drop', form)) zone.classList.toggle('over', zone === event.target.closest('.drop'));
    });
    form.addEventListener('dragleave', () => all('.drop.over', form).forEach((zone) => zone.classList.remove('over')));
    form.addEventListener('drop', (event) => {
      event.preventDefault();
      all('.drop.over', form).forEach((zone) => zone.classList.remove('over'));
      const files = [...event.dataTransfer.files];
      const target = event.target.closest('.drop')?.querySelector('input[type=file]');
      if (files.length > 1) fields.forEach((field, i) => files[i] && put(field, files[i]));
      else if (files.length) put(target || fields.find((field) => !field.files.length) || fields[0], files[0]);
    });
    form.addEventListener('submit', () => {
      const button = form.querySelector('button.primary');
      if (button) setTimeout(() => { button.disabled = true; button.textContent = 'Uploading…'; });
    });
  }

  // Live progress: each event has the region asked for anew; the last one shows the result.
  for (const region of all('[data-events]')) {
    const events = new EventSource(region.dataset.events);
    let busy = false;
    let again = false;
    const refresh = async () => {
      if (busy) { again = true; return; }
      busy = true;
      try {
        const answer = await fetch(region.dataset.region, { headers: { 'hx-request': 'true' } });
        if (answer.redirected || !answer.ok) { location.reload(); return; }
        region.innerHTML = await answer.text();
        toZone(region);
      } catch { /* The connection is gone; the next event tries again. */ }
      busy = false;
      if (again) { again = false; refresh(); }
    };
    events.addEventListener('progress', refresh);
    events.addEventListener('state', (event) => {
      if (JSON.parse(event.data).is_final) { events.close(); location.reload(); } else refresh();
    });
  }
})();
