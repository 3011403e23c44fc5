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
  // On a small screen the navigation is a row that is wider than the screen.
  const here = one('.side [aria-current]');
  const row = here?.closest('.side');
  if (row) row.scrollLeft = here.offsetLeft - (row.clientWidth - here.offsetWidth) / 2;

  // Menus close when something else is clicked.
  document.addEventListener('click', (event) => {
    for (const menu of all('details[data-menu][open]')) if (!menu.contains(event.target)) menu.open = false;
    const opener = event.target.closest('[data-open]');
    if (opener) open(opener.dataset.open);
    const copying = event.target.closest('[data-copy]');
    if (copying) navigator.clipboard?.writeText(one(`#${copying.dataset.copy}`).textContent).then(() => { copying.textContent = 'Copied'; });
    const confirming = event.target.closest('[data-confirm]');
    if (confirming && !window.confirm(confirming.dataset.confirm)) event.preventDefault();
    if (event.target.closest('[data-print]')) window.print();
  });
  document.addEventListener('change', (event) => {
    const { form, dataset } = event.target;
    // With the value of a button where a form has several.
    if ('submit' in dataset) form.requestSubmit(dataset.submit ? one(`button[name=action][value="${dataset.submit}"]`) : null);
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

  // The desk of a review: links and forms of it replace the desk alone, one step at a time.
  let swapping = false;
  const swap = async (address, options = {}) => {
    if (swapping) return;
    swapping = true;
    const scrolled = one('#desk .lines')?.scrollTop ?? 0;
    try {
      const answer = await fetch(address, { ...options, headers: { accept: 'text/html', 'x-part': 'desk' } });
      const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
      const fresh = page.querySelector('#desk');
      // Logged out, or something that only a whole page can say.
      if (!fresh) { location.href = answer.redirected ? answer.url : address; return; }
      one('#desk').replaceWith(document.adoptNode(fresh));
      history.replaceState(null, '', answer.ok ? answer.url : location.href);
      for (const element of all('#desk .needs-script')) element.hidden = false;
      toZone(one('#desk'));
      const lines = one('#desk .lines');
      if (lines) lines.scrollTop = scrolled;
      const current = one('#desk .lines [aria-current]');
      current?.scrollIntoView({ block: 'nearest' });
      (one('#desk [data-focus]') || current)?.focus({ preventScroll: true });
    } catch { location.reload(); } finally { swapping = false; }
  };
  document.addEventListener('click', (event) => {
    const link = event.target.closest('#desk a[data-swap]');
    if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    swap(link.href);
  });
  document.addEventListener('submit', (event) => {
    if (!event.target.matches('#desk form[data-swap]')) return;
    event.preventDefault();
    const body = new URLSearchParams(new FormData(event.target, event.submitter));
    // Not `form.action`: a button of that name stands before it.
    swap(event.target.getAttribute('action'), { method: 'POST', body });
  });
  // A key stands for a button, a link, or something to unfold and fill in.
  const press = (key) => {
    const element = one(`[data-key="${key}"]`);
    if (!element || swapping) return false;
    const folded = element.matches('summary') && element.parentElement;
    if (folded) {
      folded.open = true;
      folded.querySelector('select, input:not([type=hidden])')?.focus();
    } else element.click();
    return true;
  };

  // What is chosen of both sides, added up. Amounts are decimals of one currency; numbers would round them.
  const sums = one('form[data-sums]');
  const add = () => {
    const chosen = all('[data-amount]:checked', sums);
    const decimals = Math.max(0, ...all('[data-amount]', sums).map((box) => (box.dataset.amount.split('.')[1] || '').length));
    const minor = (text) => BigInt(text.replace('.', '') + '0'.repeat(decimals - (text.split('.')[1] || '').length));
    const total = (side) => chosen.filter((box) => box.name === side).reduce((sum, box) => sum + minor(box.dataset.amount), 0n);
    const written = (sum) => {
      const digits = String(sum < 0n ? -sum : sum).padStart(decimals + 1, '0');
      const at = digits.length - decimals;
      const whole = BigInt(digits.slice(0, at)).toLocaleString();
      const mark = (1.5).toLocaleString().replace(/\d/g, '');
      return (sum < 0n ? '−' : '') + whole + (decimals ? mark + digits.slice(at) : '');
    };
    const [left, right] = [total('left'), total('right')];
    for (const [name, sum] of [['left', left], ['right', right], ['difference', left - right]]) {
      const place = one(`[data-sum=${name}]`);
      place.textContent = written(sum);
      if (name === 'difference') place.classList.toggle('differs', sum !== 0n);
    }
  };
  if (sums) { sums.addEventListener('change', add); add(); }

  // Lists: j and k move, Enter opens.
  const move = (by) => {
    const lines = all('#desk .lines a');
    if (lines.length) {
      const at = lines.findIndex((line) => line.hasAttribute('aria-current'));
      const next = lines[Math.min(Math.max(at + by, 0), lines.length - 1)];
      if (next !== lines[at]) swap(next.href);
      return;
    }
    const items = all('[data-list] [data-item]');
    if (!items.length) return;
    const at = items.findIndex((item) => item.contains(document.activeElement));
    const next = items[Math.min(Math.max(at < 0 ? (by > 0 ? 0 : items.length - 1) : at + by, 0), items.length - 1)];
    (next.querySelector('a, summary, button, input') || next).focus();
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
    // A reason that was chosen by its first letters is one key away from being given.
    if (event.key === 'Enter' && event.target.matches('#desk form[data-swap] select')) {
      event.preventDefault();
      event.target.form.requestSubmit(event.target.form.querySelector('button'));
      return;
    }
    // What is typed beside a button is for that one, not for the first of its form.
    if (event.key === 'Enter' && event.target.dataset.enter) {
      event.preventDefault();
      event.target.form.requestSubmit(one(`button[name=action][value="${event.target.dataset.enter}"]`));
      return;
    }
    if (event.key === 'Escape') for (const menu of all('details[data-menu][open]')) menu.open = false;
    const typing = event.target.closest('input:not([type=radio], [type=checkbox], [type=file]), textarea, select, dialog[open]');
    if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === '?') open('help');
    else if (event.key === 'j') move(1);
    else if (event.key === 'k') move(-1);
    else if (event.key.length === 1 && /[a-z]/.test(event.key) && press(event.key)) { /* Done. */ }
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

  // Live progress: each event of the stream has what is to be shown; the last one the result in place of the progress.
  // Of that only the content: style, script and frame are there already.
  for (const region of all('[data-events]')) {
    const events = new EventSource(region.dataset.events);
    events.addEventListener('part', (event) => {
      region.innerHTML = JSON.parse(event.data).html;
      toZone(region);
    });
    events.addEventListener('end', (event) => {
      events.close();
      const { html, title } = JSON.parse(event.data);
      const page = new DOMParser().parseFromString(`<title>${title}</title>${html}`, 'text/html');
      one('main').replaceWith(document.adoptNode(page.querySelector('main')));
      document.title = page.title;
      for (const element of all('main .needs-script')) element.hidden = false;
      window.htmx?.process(one('main'));
      toZone(document);
      document.dispatchEvent(new CustomEvent('counterfoil:shown'));
    });
    // What only a whole page can say.
    events.addEventListener('again', () => { events.close(); location.reload(); });
  }
})();
