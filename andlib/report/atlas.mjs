// The atlas: the neurons of window.ATLAS[profile] (andlib/atlas.py), to search, filter, open and hear.
// Text of the data enters the page as text, never as HTML. The address holds the whole state: #unit=...&q=...
// A classic script, so that it runs from a file; .mjs because Jupyter Book adds every .js to every page.
(() => {
  const root = document.querySelector("#atlas");
  const parts = ["form", ".count", ".list", ".all", "dialog"];
  const [form, count, list, all, dialog] = parts.map((selector) => root.querySelector(selector));
  const field = form.elements;
  const MEASURES = 4; // of each method: r, its interval's ends, AUPRC
  const SPARE = 4; // rows drawn above and below those in sight
  const unpackedOf = {};
  let atlas, profile, neurons = [], found = [], active = 0;
  let shown = 0; // place among a neuron's scores of the chosen method's r

  // element with attributes and children; a string becomes a text node
  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  }

  // Data

  const texts = (numbers) => numbers.map((number) => atlas.texts[number]);

  function unpack(row) {
    const [model, layer] = [atlas.models[row[0]], atlas.layers[row[1]]];
    const [index, highest, lowest, high, removed, low, adjectives, nouns, verbs, db, tab, scores] = row.slice(2);
    const address = { id: `${model}/${layer}/${index}`, model, layer, highest, lowest };
    return { ...address, high, removed, low, open: [...adjectives, ...nouns, ...verbs], db, tab, scores };
  }

  const points = (neuron) => neuron.high.filter((_, i) => !neuron.removed[i]); // those that calibration left

  // what is searched; made when it is first needed, so that the list is there at once
  function text(neuron) {
    const numbers = [...points(neuron), ...neuron.open, ...neuron.db.slice(0, 1), ...neuron.tab.slice(0, 1)];
    return (neuron.text ??= `${neuron.id}\n${texts(numbers).join("\n")}`.toLowerCase());
  }

  function load(name) {
    [profile, atlas] = [name, undefined];
    count.textContent = "Loading …";
    if (window.ATLAS?.[name]) return ready(name);
    const script = element("script", { src: `${root.dataset.folder}${name}.mjs` });
    script.onload = () => ready(name);
    script.onerror = () => name === profile && missing();
    document.head.append(script);
  }

  // base64 of gzip of JSON
  function unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  }

  async function ready(name) {
    const data = await (unpackedOf[name] ??= unpacked(window.ATLAS[name]));
    if (name !== profile) return; // another was chosen meanwhile
    atlas = data;
    neurons = atlas.units.map(unpack);
    root.querySelector(".about").textContent = `${atlas.about} ${atlas.silent}`;
    const first = new Set();
    for (const { db, tab } of neurons) first.add(atlas.texts[db[0]]).add(atlas.texts[tab[0]]);
    first.delete(undefined); // of a neuron without closed concepts
    offer(field.model, atlas.models, "all");
    offer(field.concept, [...first].sort(), "any");
    offer(field.method, atlas.methods);
    const scored = neurons.some((neuron) => neuron.scores.length);
    for (const name of ["method", "least", "sort"]) field[name].disabled = !scored;
    follow();
  }

  function missing() {
    neurons = found = [];
    draw();
    count.textContent = "This copy of the book has no atlas of these sounds.";
  }

  function offer(select, names, none) {
    const before = select.value;
    const options = names.map((name) => element("option", { value: name }, name));
    select.replaceChildren(...(none ? [element("option", { value: "" }, none)] : []), ...options);
    choose(select, before);
  }

  function choose(input, value) {
    input.value = value;
    if (input.selectedIndex < 0) input.selectedIndex = 0; // no such option
  }

  const hundredths = (neuron) => neuron.scores[shown] ?? null;

  function search() {
    const { q, model, layer, concept, least, sort } = Object.fromEntries(new FormData(form));
    const words = q.toLowerCase().split(/\s+/).filter(Boolean);
    const number = concept ? atlas.texts.indexOf(concept) : -1;
    shown = MEASURES * field.method.selectedIndex;
    found = neurons.filter(
      (neuron) =>
        (!model || neuron.model === model) &&
        (!layer || neuron.layer === layer) &&
        (!concept || neuron.db[0] === number || neuron.tab[0] === number) &&
        (!least || (hundredths(neuron) ?? -Infinity) >= Math.round(100 * least)) &&
        words.every((word) => text(neuron).includes(word)),
    );
    const sign = sort === "-score" ? -1 : 1;
    const rank = (neuron) => sign * (hundredths(neuron) ?? -sign * 1000); // without a score: last
    if (sort && sort !== "network") found.sort((one, other) => rank(other) - rank(one));
    count.textContent = `${found.length.toLocaleString("en")} of ${neurons.length.toLocaleString("en")} neurons`;
    active = list.scrollTop = 0;
    draw();
  }

  // List: only the rows in sight are in the page

  function draw() {
    const [rem, rows] = [document.documentElement, list].map((part) => getComputedStyle(part));
    const height = parseFloat(rem.fontSize) * parseFloat(rows.getPropertyValue("--row"));
    all.style.height = `${found.length * height}px`;
    const first = Math.max(0, Math.floor(list.scrollTop / height) - SPARE);
    const last = Math.ceil((list.scrollTop + list.clientHeight) / height) + SPARE;
    all.replaceChildren(...found.slice(first, last).map((neuron, i) => row(neuron, first + i, height)));
    list.setAttribute("aria-activedescendant", found.length ? `neuron-${active}` : "");
  }

  function row(neuron, i, height) {
    const order = { "aria-posinset": i + 1, "aria-setsize": found.length, "aria-selected": i === active };
    const score = neuron.scores.length ? [element("span", {}, `r ${decimal(hundredths(neuron))}`)] : [];
    const head = element("div", {}, element("b", {}, neuron.id), ...score);
    const [db, tab] = [neuron.db, neuron.tab].map((numbers) => atlas.texts[numbers[0]] ?? "–");
    const concepts = element("div", { dir: "auto" }, `DB ${db} · TAB ${tab}`);
    const summary = texts(points(neuron)).join(" ").slice(0, 300) || "nothing is left of its summary";
    const lines = [head, concepts, element("div", { dir: "auto" }, summary)];
    const made = element("div", { id: `neuron-${i}`, role: "option", ...order }, ...lines);
    made.style.top = `${i * height}px`;
    made.onclick = () => show(neuron);
    return made;
  }

  function move(to) {
    if (!found.length) return;
    active = Math.max(0, Math.min(found.length - 1, to));
    const height = all.offsetHeight / found.length;
    const [top, bottom] = [active * height, (active + 1) * height];
    if (top < list.scrollTop) list.scrollTop = top;
    if (bottom > list.scrollTop + list.clientHeight) list.scrollTop = bottom - list.clientHeight;
    draw();
  }

  // Card

  const decimal = (number) => (number === null ? "–" : (number / 100).toFixed(2).replace("-", "−"));

  function card(neuron) {
    const close = element("button", { type: "button", class: "close", "aria-label": "Close" }, "✕");
    close.onclick = () => dialog.close();
    return [
      close,
      element("h2", { id: "atlas-unit", tabindex: "-1" }, neuron.id),
      element("h3", {}, "Summary of its highest clips, calibrated"),
      element("ul", { class: "points" }, ...neuron.high.map((point, i) => told(atlas.texts[point], neuron.removed[i]))),
      element("h3", {}, "Concepts, and how well they predict it"),
      concepts(neuron),
      element("h3", {}, "Highest activated clips"),
      ...(atlas.silent ? [element("p", { class: "about" }, atlas.silent)] : []),
      element("div", { class: "clips" }, ...neuron.highest.map(clip)),
      element("h3", {}, "Lowest activated clips"),
      element("div", { class: "clips" }, ...neuron.lowest.map(clip)),
      element("h3", {}, "Summary of its lowest clips"),
      element("ul", { class: "points" }, ...neuron.low.map((point) => told(atlas.texts[point], 0))),
    ];
  }

  function told(point, removed) {
    if (!removed) return element("li", { dir: "auto" }, point);
    const why = `removed: cosine ${decimal(removed[1])} with “${atlas.texts[removed[0]]}” of the lowest clips`;
    return element("li", { dir: "auto" }, element("del", {}, point), " ", element("small", {}, why));
  }

  function concepts(neuron) {
    const closed = ([best, ...next]) => best && `${best} (next: ${next.join(", ")})`;
    const [db, tab] = [neuron.db, neuron.tab].map((numbers) => closed(texts(numbers)));
    const said = { summary: "the points above", "open concepts": texts(neuron.open).join(", "), DB: db, TAB: tab };
    const scored = neuron.scores.length ? ["r", "95 %", "AUPRC"] : [];
    const head = ["", "says", ...scored].map((text) => element("th", { scope: "col" }, text));
    const rows = atlas.methods.map((method, i) => {
      const [r, low, high, auprc] = neuron.scores.slice(MEASURES * i).map(decimal);
      const cells = [r, `${low} … ${high}`, auprc].map((number) => element("td", { class: "number" }, number));
      const name = element("th", { scope: "row" }, method);
      const says = element("td", { dir: "auto" }, said[method] || "–");
      return element("tr", {}, name, says, ...(scored.length ? cells : []));
    });
    const table = element("table", {}, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...rows));
    return element("div", { class: "scores" }, table);
  }

  function clip(i) {
    const [name, label, description] = texts(atlas.clips[i]);
    const words = [element("b", { dir: "auto" }, label), element("br"), element("span", { dir: "auto" }, description)];
    const caption = element("figcaption", {}, ...words, element("br"), element("small", {}, name));
    const heard = atlas.across ? [spectrogram(i, name)] : atlas.silent ? [] : [sound(i, name)];
    return element("figure", { class: "clip" }, ...heard, caption);
  }

  // a tile of the picture of all clips, `across` in a row
  function spectrogram(i, name) {
    const [across, down] = [atlas.across, Math.ceil(atlas.clips.length / atlas.across)];
    const picture = element("div", { class: "spectrogram", role: "img", "aria-label": `Spectrogram of ${name}` });
    picture.style.backgroundImage = `url("${root.dataset.folder}${profile}.png")`;
    picture.style.backgroundSize = `${100 * across}% ${100 * down}%`;
    const place = [(i % across) / (across - 1), Math.floor(i / across) / (down - 1 || 1)];
    picture.style.backgroundPosition = place.map((part) => `${100 * part}%`).join(" ");
    return picture;
  }

  // a clip's sound is fetched when it is to be played
  function sound(i, name) {
    const button = element("button", { type: "button", "aria-label": `Play ${name}` }, "▶ Play");
    button.onclick = () => {
      const src = `${root.dataset.folder}${profile}/${i}.mp3`;
      const audio = element("audio", { controls: "", "aria-label": name, src });
      audio.onplay = () => dialog.querySelectorAll("audio").forEach((other) => other !== audio && other.pause());
      audio.onerror = () => audio.replaceWith("This sound cannot be read.");
      button.replaceWith(audio);
      audio.focus();
      audio.play().catch(() => {}); // onerror says why; a browser that asks for another click has its controls
    };
    return button;
  }

  // The address

  function remember(unit) {
    const chosen = [...new FormData(form)].filter(([name, value]) => value && value !== field[name].options?.[0].value);
    const state = new URLSearchParams(unit ? [["unit", unit], ...chosen] : chosen);
    history.replaceState(null, "", `#${state.toString().replaceAll("%2F", "/")}`);
  }

  function follow() {
    const state = new URLSearchParams(location.hash.slice(1));
    const restore = (name) => choose(field[name], state.get(name) ?? "");
    restore("profile");
    if (field.profile.value !== profile) return load(field.profile.value);
    if (!atlas) return;
    ["q", "model", "concept", "method", "least", "sort"].forEach(restore);
    layers(); // of that model
    restore("layer");
    search();
    const unit = state.get("unit");
    const wanted = neurons.find((neuron) => neuron.id === unit);
    if (wanted) return show(wanted);
    dialog.close();
    if (unit) count.textContent += `. There is no neuron ${unit}.`;
  }

  function layers() {
    const model = field.model.value;
    const names = new Set(neurons.filter((neuron) => !model || neuron.model === model).map((neuron) => neuron.layer));
    offer(field.layer, [...names], "all");
  }

  function show(neuron) {
    move(Math.max(0, found.indexOf(neuron)));
    dialog.replaceChildren(...card(neuron));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    remember(neuron.id);
    dialog.querySelector("h2").focus();
  }

  // Events

  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", (event) => {
    if (event.target === field.profile) return remember(), load(field.profile.value);
    if (!atlas) return;
    if (event.target === field.model) layers();
    search();
    remember();
  });
  list.addEventListener("scroll", draw);
  dialog.addEventListener("close", () => {
    dialog.replaceChildren(); // ends its sounds
    remember();
    list.focus();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") dialog.close(); // the theme keeps the browser from doing so
    if (step && event.target.tagName !== "AUDIO" && found[active + step]) show(found[active + step]);
  });
  list.addEventListener("keydown", (event) => {
    const page = Math.floor(list.clientHeight / (all.offsetHeight / found.length || 1));
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter" && found[active]) show(found[active]);
    else if (event.key === "Escape") field.q.focus();
    else if (event.key in steps) move(active + steps[event.key]);
    else return;
    event.preventDefault();
  });
  field.q.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "Enter") return;
    event.preventDefault();
    list.focus();
  });
  // before the book's own search, which has the same key
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || dialog.open || event.ctrlKey || event.metaKey) return;
    if (event.target.matches("input, textarea")) return;
    event.preventDefault();
    event.stopPropagation();
    field.q.focus();
  }, true);
  addEventListener("hashchange", follow);
  addEventListener("resize", draw);

  follow();
})();
