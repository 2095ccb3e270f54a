/* The workbench: one version of a rule, written by clicks or as text, checked as it is written, tried, and held to examples. */
"use strict";

(() => {
  const { h, t, icon, button, select, unique, Condition, say } = window.Workbench;
  const CHECK_AFTER = 300; // milliseconds after the last key
  const EMPTY = () => ({ kind: "group", join: "all", items: [] });

  const REGISTRY = {
    guild: { id: "text", name: "text", tier: "text", status: "text", market: "text", provisional: "bool", onboarded_at: "time" },
    creator: { id: "text", name: "text", market: "text" },
    market: { code: "text", name: "text", timezone: "text", languages: "list", regime: "text" },
  };

  document.addEventListener("DOMContentLoaded", () => {
    const root = document.getElementById("workbench");
    if (!root) return;
    const start = JSON.parse(document.getElementById("workbench-start").textContent);
    say(start.words);
    new Page(root, start).build();
  });

  class Page {
    constructor(root, start) {
      this.root = root;
      this.start = start;
      this.editable = start.editable;
      this.choices = start.choices;
      this.spec = start.spec;
      this.fields = start.fields;
      this.types = start.choices.types;
      this.writtenAt = start.written_at;
      this.conditions = new Map(); // by the field of the rule they stand in
      this.byTree = new Map(); // trees last changed by clicks, by field
      this.unsaved = false;
      this.asked = 0;
      this.picked = null;
      this.token = root.querySelector("input[name=csrfmiddlewaretoken]").value;
    }

    /* --- asking the server --- */
    async ask(name, sent) {
      const answer = await fetch(this.start.urls[name], {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-CSRFToken": this.token },
        body: JSON.stringify(sent),
      });
      const told = await answer.json().catch(() => ({ message: t("The server did not answer. Your words are still here; try again."), errors: [] }));
      return answer.ok ? { ok: true, ...told } : { ok: false, status: answer.status, errors: [], ...told };
    }

    wording() {
      return { spec: this.spec, trees: Object.fromEntries(this.byTree) };
    }

    touched() {
      this.unsaved = true;
      this.state(t("Not saved yet"), "wb-open");
      this.revision = (this.revision || 0) + 1;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.check(), CHECK_AFTER);
    }

    async check(by = "") {
      const number = (this.asked += 1);
      const sent = by === "yaml" ? { yaml: this.yaml.value } : this.wording();
      const told = await this.ask("check", sent);
      if (number !== this.asked) return; // something newer is under way
      if (!told.ok) return this.state(told.message, "wb-bad");
      if (by === "yaml" && told.problems.some((found) => found.where === "yaml")) return this.shown({ ...told, keep: true });
      if (by === "yaml") { this.yamlChanged = false; this.byTree.clear(); this.spec = told.spec; this.trees = told.trees; this.start = { ...this.start, ...told }; this.forms(); }
      this.shown(told);
    }

    /* What the server made of the wording: both forms of each condition, problems, differences. */
    shown(told) {
      if (!told.keep) {
        for (const [where, condition] of this.conditions) {
          const source = this.sourceIn(told.spec, where);
          if (this.byTree.has(where)) {
            condition.setSource(source);
            this.putSource(where, source);
          } else if (condition.awaitsTree) {
            condition.awaitsTree = false;
            condition.setTree(told.trees[where] || (source ? null : EMPTY()));
          }
        }
        this.trees = told.trees;
        if (!this.yamlChanged) this.yaml.value = told.yaml;
      }
      this.problems(told.problems, told.hints);
      this.changes(told.changes, told.against);
    }

    sourceIn(spec, where) {
      const measure = /^measures\[(\d+)\]\.where$/.exec(where);
      return (measure ? (spec.measures[measure[1]] || {}).where : spec[where]) || "";
    }

    putSource(where, source) {
      const measure = /^measures\[(\d+)\]\.where$/.exec(where);
      if (measure) this.spec.measures[measure[1]].where = source || null;
      else this.spec[where] = source;
    }

    /* --- saving --- */
    async save({ over = false } = {}) {
      clearTimeout(this.timer);
      this.asked += 1;
      const revision = this.revision;
      this.state(t("Saving…"), "wb-open");
      const told = await this.ask("save", { ...this.wording(), written_at: over ? "" : this.writtenAt });
      if (!told.ok) { this.refused(told); return false; }
      this.refusal.replaceChildren();
      this.writtenAt = told.written_at;
      this.unsaved = revision !== this.revision;
      const unfinished = told.problems.some((found) => found.place !== null);
      this.state(unfinished ? t("Saved, but for what is unfinished") : t("Saved"), unfinished ? "wb-open" : "wb-good");
      this.shown(told);
      this.stored(told);
      return true;
    }

    refused(told) {
      this.state(t("Not saved"), "wb-bad");
      const lines = told.errors.filter((item) => item.message !== told.message).map((item) => h("li", {}, item.field ? h("b", {}, `${item.field}: `) : null, item.message));
      const acts = told.code === "edited_meanwhile" ? h("p", { class: "wb-adders" },
        h("a", { class: "console-button", href: location.href, target: "_blank", rel: "noopener" }, t("Look at theirs")),
        button(t("Put mine in its place"), () => this.save({ over: true }), { name: "save" })) : null;
      this.refusal.replaceChildren(h("div", { class: "console-refusal", role: "alert" }, h("p", {}, told.message), h("ul", {}, lines), acts));
      this.problemsOf(told.errors.map((item) => ({ where: item.field || "", message: item.message, cure: "", position: null, place: null })));
    }

    stored(told) {
      this.examples(told.examples);
      this.requirements(told.requirements);
    }

    state(text, kind) {
      this.status.className = `wb-status ${kind}`;
      this.status.textContent = text;
    }

    /* --- building the page --- */
    build() {
      const find = (name) => this.root.querySelector(`[data-part="${name}"]`);
      this.main = find("main");
      this.status = find("status");
      this.refusal = find("refusal");
      this.list = find("problems");
      this.differences = find("changes");
      this.ready = find("requirements");
      this.forms();
      const save = find("save");
      if (save) save.addEventListener("click", () => this.save());
      this.shown(this.start);
      this.stored(this.start);
      this.state(this.editable ? t("Saved") : t("Read only"), "wb-good");
      document.addEventListener("keydown", (event) => {
        if (this.editable && (event.ctrlKey || event.metaKey) && event.key === "s") { event.preventDefault(); this.save(); }
      });
      window.addEventListener("beforeunload", (event) => { if (this.unsaved) event.preventDefault(); });
      // What is done to the version is done to what is saved: save first, then go on.
      document.addEventListener("click", async (event) => {
        const link = event.target.closest && event.target.closest("[hx-get], a[data-saves]");
        if (!link || !this.unsaved || this.root.contains(link) && !link.dataset.saves) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        if (await this.save() && !this.unsaved) link.click();
      }, true);
    }

    forms() {
      this.conditions.clear();
      const spec = this.spec;
      this.main.replaceChildren(
        this.card(t("What it is"), "", this.basics(spec)),
        this.card(t("When it is asked"), t("Only signals of these types, in these markets, reach the condition."), this.reach(spec)),
        this.card(t("Measures"), t("Counts over time that the condition may use, as of each signal's own time."), this.measures(spec)),
        this.card(t("Condition"), t("When this holds for a signal, the rule has found something."), this.when()),
        this.card(t("Try one signal"), t("Pasted, or one of the last stored. Nothing is kept."), this.trying()),
        this.card(t("Examples"), t("Signals it must match, and others it must not: held to at every save."), this.exampleList()),
        this.card(t("What it would have matched lately"), t("The last 500 signals; a backtest looks at all."), this.lately()),
        this.card(t("What follows"), t("Who looks at it, what it costs, and what brakes it."), this.consequences(spec)),
        this.card(t("What guilds read"), t("The policy in their words, one text per language. It goes into every notice."), this.texts(spec)),
        this.card(t("As text"), t("The same rule as in a policy file: copy it, or paste one over it."), this.asText()),
      );
      if (this.latestExamples) this.examples(this.latestExamples);
      this.refreshFields();
    }

    card(title, note, ...body) {
      return h("section", { class: "console-card wb-card", "aria-label": title },
        h("header", { class: "console-card-head" }, h("h3", {}, title), note ? h("p", {}, note) : null), ...body);
    }

    /* A labelled control with a place for its problems. */
    field(label, where, control, help = "") {
      const id = control.id || unique("wb");
      const input = control.matches("input, select, textarea") ? control : control.querySelector("input, select, textarea");
      if (input) { input.id = input.id || id; if (!this.editable) input.disabled = true; }
      return h("div", { class: "wb-field-box", "data-box": where },
        h("label", { class: "wb-label", for: input ? input.id : null }, label), control,
        help ? h("p", { class: "wb-help" }, help) : null, h("div", { class: "wb-problems", "data-problems": where }));
    }

    input(value, put, attributes = {}) {
      return h("input", { class: "wb-input wb-wide", value: value === null || value === undefined ? "" : value, oninput: (event) => { put(event.target.value); this.touched(); }, ...attributes });
    }

    area(value, put, rows = 3) {
      return h("textarea", { class: "wb-input wb-wide", rows, oninput: (event) => { put(event.target.value); this.touched(); } }, value || "");
    }

    choice(options, value, put) {
      return select(options, value, (chosen) => { put(chosen); this.touched(); });
    }

    basics(spec) {
      return h("div", { class: "wb-grid" },
        this.field(t("Name"), "name", this.input(spec.name, (value) => { spec.name = value; }, { maxlength: 200 })),
        this.field(t("Violation it opens"), "violation_code", this.input(spec.violation.code, (value) => { spec.violation.code = value; }, { maxlength: 40 }), t("Rules may share a code; ladders count by it.")),
        this.field(t("Severity"), "severity", this.choice(this.choices.severities, spec.violation.severity, (value) => { spec.violation.severity = value; })),
        this.field(t("Notes for colleagues"), "description", this.area(spec.description, (value) => { spec.description = value; }, 2)),
      );
    }

    reach(spec) {
      const names = Object.fromEntries(this.choices.markets.map((market) => [market.code, market.name]));
      const chosen = () => this.chips(spec.markets, this.choices.markets.map((market) => [market.code, `${market.name} (${market.code})`]),
        { add: t("Add a market"), label: (code) => (names[code] ? `${names[code]} (${code})` : code), changed: () => this.touched() });
      const some = h("div", { class: spec.markets.includes("*") ? "wb-hidden" : "" }, spec.markets.includes("*") ? "" : chosen());
      const where = select([["*", t("Every market, also those to come")], ["some", t("Some markets")]], spec.markets.includes("*") ? "*" : "some", (value) => {
        spec.markets = value === "*" ? ["*"] : [];
        some.className = value === "*" ? "wb-hidden" : "";
        some.replaceChildren(value === "*" ? "" : chosen());
        this.touched();
      });
      if (!this.choices.everywhere) where.querySelector('option[value="*"]').disabled = true;
      return h("div", { class: "wb-grid" },
        this.field(t("Signal types"), "on", this.chips(spec.on, this.types.map((name) => [name, name]), {
          add: t("Add a signal type"), free: true, changed: () => { this.touched(); this.learnFields(); },
        }), t("What detectors and other systems report. Types met so far are offered.")),
        this.field(t("Markets"), "markets", h("div", {}, where, some)),
        this.field(t("Expires"), "expires", this.input((spec.expires || "").slice(0, 10), (value) => { spec.expires = value || null; }, { type: "date" }), t("From that day on it judges nothing. Empty: it stays.")),
      );
    }

    /* Chosen values as chips, with a field to add more. */
    chips(values, offered, { add, free = false, label = (value) => value, changed }) {
      const list = unique("list");
      const box = h("div", { class: "wb-chips" });
      const draw = () => {
        box.replaceChildren(
          ...values.map((value) => h("span", { class: "wb-chip" }, label(value), this.editable ? button(t("Remove {value}", { value: label(value) }), () => { values.splice(values.indexOf(value), 1); draw(); changed(); input.focus(); }, { name: "close", kind: "wb-bare", hidden: true }) : null)),
          ...(this.editable ? [input, h("datalist", { id: list }, offered.filter(([value]) => !values.includes(value)).map(([value, text]) => h("option", { value }, text)))] : []),
        );
      };
      const take = () => {
        const typed = input.value.trim();
        const found = offered.find(([value, text]) => value === typed || text === typed);
        const value = found ? found[0] : free ? typed : "";
        if (!value || values.includes(value)) return;
        values.push(value);
        input.value = "";
        draw();
        input.focus();
        changed();
      };
      const input = h("input", {
        class: "wb-input wb-add", list, placeholder: add, "aria-label": add, onchange: take,
        onkeydown: (event) => { if (event.key === "Enter" || event.key === ",") { event.preventDefault(); take(); } },
      });
      draw();
      return box;
    }

    /* --- measures --- */
    measures(spec) {
      this.measureBox = h("div", { class: "wb-measures" });
      this.drawMeasures(spec);
      const add = this.editable ? h("p", { class: "wb-adders" }, button(t("Measure"), () => {
        spec.measures.push({ name: this.freeName(spec), types: [], where: null, window: "30d", per: "guild", aggregate: "count" });
        this.drawMeasures(spec);
        this.measureBox.lastElementChild.querySelector("input").focus();
        this.touched();
        this.refreshFields();
      }, { name: "add" })) : null;
      return h("div", { "data-box": "measures" }, this.measureBox, add, h("div", { class: "wb-problems", "data-problems": "measures" }));
    }

    freeName(spec) {
      let number = spec.measures.length + 1;
      while (spec.measures.some((measure) => measure.name === `count_${number}`)) number += 1;
      return `count_${number}`;
    }

    drawMeasures(spec) {
      for (const where of [...this.conditions.keys()]) if (where !== "when") { this.conditions.delete(where); }
      this.measureBox.replaceChildren(...(spec.measures.length ? spec.measures.map((measure, index) => this.measure(spec, measure, index)) : [h("p", { class: "console-empty" }, t("None. A condition on the signal alone needs none."))]));
    }

    measure(spec, measure, index) {
      const at = (name) => `measures[${index}].${name}`;
      const again = () => { this.touched(); this.refreshFields(); };
      const [, number, unit] = /^(\d+)([dhm])$/.exec(measure.window) || [null, "30", "d"];
      const window_ = h("span", { class: "wb-value" },
        h("input", { class: "wb-input wb-short", inputmode: "numeric", value: number, "aria-label": t("Length of the window"), oninput: (event) => { measure.window = `${event.target.value.trim()}${event.target.nextSibling.value}`; this.touched(); } }),
        select([["d", t("days")], ["h", t("hours")], ["m", t("minutes")]], unit, (value) => { measure.window = measure.window.replace(/[dhm]$/, value); this.touched(); }, { "aria-label": t("Unit of the window"), disabled: !this.editable }));
      const [, kind, inner] = /^(\w+)(?:\((.*)\))?$/.exec(measure.aggregate) || [null, "count", ""];
      const aggregate = h("span", { class: "wb-value" });
      const drawAggregate = (name, over) => aggregate.replaceChildren(
        select([["count", t("how many signals")], ["sum", t("sum of")], ["max", t("largest")], ["distinct", t("how many different")]], name, (value) => {
          const usual = value === "count" ? "" : value === "distinct" ? "creator" : "data.";
          measure.aggregate = value === "count" ? "count" : `${value}(${usual})`;
          drawAggregate(value, usual);
          again();
        }, { "aria-label": t("What is counted"), disabled: !this.editable }),
        name === "count" ? "" : this.aggregated(measure, name, over, again));
      drawAggregate(kind, inner || "");
      const where = this.condition(at("where"), t("Signals counted by measure {number}", { number: index + 1 }), () => this.whereFields(measure));
      where.set(measure.where || "", this.byTree.get(at("where")) || (this.trees && this.trees[at("where")]) || (measure.where ? null : EMPTY()));
      const details = h("details", { open: Boolean(measure.where) }, h("summary", {}, t("Only signals where…")), where.element);
      details.addEventListener("toggle", () => where.size());
      return h("fieldset", { class: "wb-measure", "data-box": `measures[${index}]` },
        h("legend", {}, t("Measure {number}", { number: index + 1 })),
        h("div", { class: "wb-grid wb-grid-narrow" },
          this.field(t("Name in the condition"), at("name"), this.input(measure.name, (value) => { measure.name = value; clearTimeout(this.naming); this.naming = setTimeout(() => this.refreshFields(), 600); }, { maxlength: 63 })),
          this.field(t("Counts"), at("aggregate"), aggregate),
          this.field(t("Over the last"), at("window"), window_),
          this.field(t("Of the same"), at("per"), this.choice([["guild", t("guild")], ["creator", t("creator")]], measure.per, (value) => { measure.per = value; })),
          this.field(t("Signal types counted"), at("types"), this.chips(measure.types, this.types.map((name) => [name, name]), { add: measure.types.length ? t("Add a signal type") : t("As the rule"), free: true, changed: () => { this.touched(); this.learnFields(); } })),
        ),
        h("div", { "data-box": at("where") }, details),
        this.editable ? button(t("Remove this measure"), () => {
          spec.measures.splice(index, 1);
          for (const name of [...this.byTree.keys()]) if (name !== "when") this.byTree.delete(name);
          this.drawMeasures(spec);
          again();
        }, { name: "delete", kind: "wb-quiet" }) : null);
    }

    aggregated(measure, name, over, changed) {
      const fields = this.fields.filter((field) => field.path.startsWith("signal.") && !field.path.includes("["))
        .filter((field) => name === "distinct" || field.types.some((type) => ["whole", "decimal"].includes(type)))
        .map((field) => [field.path.replace(/^signal\./, "data."), field.path.replace(/^signal\./, "")]);
      const options = [...(name === "distinct" ? [["creator", t("creators")]] : []), ...fields];
      if (!options.some(([value]) => value === over)) options.unshift([over, over === "data." || !over ? t("Choose a field…") : over]);
      return select(options, over, (value) => { measure.aggregate = `${name}(${value})`; changed(); }, { "aria-label": t("Field"), disabled: !this.editable });
    }

    /* --- conditions --- */
    condition(where, label, fields) {
      const made = new Condition({
        where, label, fields, editable: this.editable,
        onTree: (tree) => { this.byTree.set(where, tree); this.touched(); },
        onSource: (source) => { this.byTree.delete(where); made.awaitsTree = true; this.putSource(where, source); this.touched(); },
      });
      made.awaitsTree = true;
      this.conditions.set(where, made);
      return made;
    }

    when() {
      const made = this.condition("when", t("Condition"), () => this.whenFields());
      made.set(this.spec.when, (this.trees && this.trees.when) || null);
      return h("div", { "data-box": "when" }, made.element);
    }

    /* The commonest type decides: one odd signal among hundreds must not turn a number into a text. */
    kind(types) {
      const found = types.filter((type) => type !== "null").map((type) => (["whole", "decimal"].includes(type) ? "number" : type));
      return found.length ? found[0] : "unknown";
    }

    signalFields() {
      const words = { text: t("text"), number: t("number"), bool: t("yes or no"), list: t("list"), object: t("object"), unknown: t("mixed") };
      return this.fields.map((field) => {
        const kind = this.kind(field.types);
        const share = field.share < 0.995 ? ` · ${t("in {share} %", { share: Math.round(field.share * 100) })}` : "";
        return { path: field.path, kind, group: t("The signal"), label: `${field.path.replace(/^signal\./, "")} · ${words[kind]}${share}`, examples: field.examples };
      }).sort((a, b) => a.path.localeCompare(b.path));
    }

    aside() {
      return [
        { path: "signal_type", kind: "text", group: t("The signal"), label: t("its type"), examples: this.spec.on },
        { path: "signal_time", kind: "time", group: t("The signal"), label: t("its time"), examples: [] },
      ];
    }

    whereFields() {
      return [...this.signalFields(), ...this.aside()];
    }

    whenFields() {
      const measures = this.spec.measures.filter((measure) => measure.name).map((measure) => ({
        path: measure.name, kind: /^(count|distinct)/.test(measure.aggregate) ? "count" : "number", group: t("Measures"), label: measure.name, examples: [],
      }));
      const names = { guild: t("The guild"), creator: t("The creator"), market: t("The market") };
      const registry = Object.entries(REGISTRY).flatMap(([name, keys]) => Object.entries(keys).map(([key, kind]) => (
        { path: `${name}.${key}`, kind, group: names[name], label: `${name}.${key}`, examples: [] })));
      return [...this.signalFields(), ...measures, ...this.aside(), ...registry];
    }

    /* Offer the fields as they are now. Where somebody is typing it waits, so that no key is lost; a choice keeps its focus. */
    refreshFields(conditions = [...this.conditions.values()]) {
      const at = document.activeElement;
      const typedIn = (condition) => condition.builder.contains(at) && ["INPUT", "TEXTAREA"].includes(at.tagName);
      conditions.filter((condition) => !typedIn(condition)).forEach((condition) => condition.render());
      const waiting = conditions.filter(typedIn);
      if (waiting.length) setTimeout(() => this.refreshFields(waiting), 500);
    }

    async learnFields() {
      const types = [...new Set([...this.spec.on, ...this.spec.measures.flatMap((measure) => measure.types)])];
      const told = await this.ask("fields", { types });
      if (!told.ok) return;
      this.fields = told.fields;
      this.refreshFields();
    }

    /* --- trying --- */
    trying() {
      this.pasted = h("textarea", {
        class: "wb-source wb-pasted", rows: 6, spellcheck: "false", id: unique("signal"), "aria-label": t("Signal as JSON"),
        placeholder: '{"score": 3}', oninput: () => { this.picked = null; this.overrides = {}; },
      });
      this.outcome = h("div", { class: "wb-outcome", role: "status" });
      this.recentList = h("div", { class: "wb-recent" });
      return h("div", {},
        h("label", { class: "wb-label", for: this.pasted.id }, t("A signal"), " ", h("span", { class: "wb-faint" }, t("its data alone, or a whole CloudEvent"))),
        this.pasted,
        h("p", { class: "wb-adders" }, button(t("Try"), () => this.try(), { name: "play_arrow", kind: "console-button-primary" }), button(t("Pick a recent one"), () => this.pick(), { name: "history" })),
        this.recentList, this.outcome);
    }

    async pick() {
      const told = await this.ask("signals", this.wording());
      if (!told.ok) return this.recentList.replaceChildren(h("p", { class: "wb-fault" }, told.message));
      this.recentList.replaceChildren(told.signals.length ? h("ul", { class: "wb-picks" }, told.signals.map((found) => h("li", {},
        h("button", { type: "button", onclick: () => this.pickOne(found) }, h("b", {}, found.guild), " ", h("span", { class: "wb-faint" }, `${found.type} · ${found.market} · ${found.time}`), h("br"), found.summary))))
        : h("p", { class: "console-empty" }, t("No signal of these types is stored in your markets.")));
      const first = this.recentList.querySelector("button");
      if (first) first.focus();
    }

    async pickOne(found) {
      this.picked = found.id;
      this.overrides = {};
      this.recentList.replaceChildren();
      await this.try();
    }

    async try() {
      const told = await this.ask("try", { ...this.wording(), ...(this.picked ? { signal: this.picked } : { pasted: this.pasted.value }), measures: this.overrides || {} });
      if (!told.ok) return this.outcome.replaceChildren(h("p", { class: "wb-fault" }, icon("error"), h("span", {}, told.message)));
      if (this.picked) this.pasted.value = JSON.stringify(told.facts.data, null, 2);
      const labels = { true: t("It matches"), false: t("It does not match"), unknown: t("Not known: no match"), error: t("Cannot be evaluated: no match"), unheard: t("Not asked: no match") };
      this.outcome.replaceChildren(
        h("p", { class: `wb-verdict wb-verdict-${told.state}` }, labels[told.state]),
        ...told.notes.map((note) => h("p", { class: "wb-hint" }, icon("lightbulb"), h("span", {}, note))),
        this.measured(told.measures, (measures) => { this.overrides = measures; }, () => this.try()),
        h("div", { html: told.html }),
        this.editable ? this.keeping() : "");
      return undefined;
    }

    /* Values of measures, to be tried with others. */
    measured(measures, put, again, label = t("Try with these")) {
      const names = Object.keys(measures);
      if (!names.length) return "";
      const values = { ...measures };
      return h("div", { class: "wb-measured" }, names.map((name) => {
        const id = unique("measure");
        return h("span", {}, h("label", { class: "wb-label", for: id }, name), h("input", {
          class: "wb-input wb-short", id, inputmode: "decimal", value: values[name] === null || values[name] === undefined ? "" : values[name], disabled: again === null,
          oninput: (event) => { const typed = event.target.value.trim().replace(",", "."); values[name] = typed === "" || Number.isNaN(Number(typed)) ? null : Number(typed); put({ ...values }); },
        }));
      }), again ? button(label, again, { name: "replay" }) : null);
    }

    keeping() {
      const name = h("input", { class: "wb-input wb-long", "aria-label": t("Name of the example"), placeholder: t("What this example shows") });
      const told = h("div", {});
      const keep = (must) => async () => {
        const answer = await this.exampleAct({ act: "add", name: name.value, must_match: must, measures: this.overrides || {}, ...(this.picked ? { signal: this.picked } : { pasted: this.pasted.value }) });
        told.replaceChildren(answer.ok ? h("p", { class: "wb-good" }, t("Kept with the rule.")) : h("p", { class: "wb-fault" }, icon("error"), h("span", {}, answer.message)));
        if (answer.ok) name.value = "";
      };
      return h("div", { class: "wb-keeping" }, h("p", { class: "wb-label" }, t("Keep it as an example")), h("div", { class: "wb-adders" }, name,
        button(t("It must match"), keep(true), { name: "check" }), button(t("It must not match"), keep(false), { name: "block" })), told);
    }

    /* --- examples --- */
    exampleList() {
      this.exampleBox = h("div", { class: "wb-examples" });
      return this.exampleBox;
    }

    async exampleAct(sent) {
      if (this.unsaved && !(await this.save())) return { ok: false, message: t("Save the rule first.") };
      const told = await this.ask("examples", sent);
      if (told.ok) { this.writtenAt = told.written_at; this.stored(told); }
      return told;
    }

    examples(examples) {
      this.latestExamples = examples;
      const marks = { passed: ["check_circle", "wb-good"], failed: ["cancel", "wb-bad"], error: ["error", "wb-bad"], not_run: ["pending", "wb-faint"] };
      this.exampleBox.replaceChildren(...(examples.length ? examples.map((example) => {
        let values = null;
        const told = h("div", {});
        const act = (sent) => async () => { const answer = await this.exampleAct({ example: String(example.id), ...sent() }); if (!answer.ok) told.replaceChildren(h("p", { class: "wb-fault" }, answer.message)); };
        const [mark, kind] = marks[example.result];
        return h("details", { class: "wb-example" },
          h("summary", {}, h("span", { class: kind }, icon(mark)), h("b", {}, example.name),
            h("span", { class: "wb-tag" }, example.must_match ? t("must match") : t("must not match")), h("span", { class: kind }, example.label)),
          h("pre", { class: "console-code" }, JSON.stringify(example.facts.data, null, 2)),
          h("p", { class: "wb-faint" }, `${example.facts.type} · ${example.facts.guild.id || ""} · ${example.facts.market.code || ""} · ${example.facts.time}`),
          this.measured({ ...Object.fromEntries(this.spec.measures.map((measure) => [measure.name, null])), ...example.measures }, (given) => { values = given; }, this.editable ? act(() => ({ act: "change", measures: values || example.measures })) : null, t("Keep these values")),
          h("div", { html: example.html }), told,
          this.editable ? h("p", { class: "wb-adders" },
            button(example.must_match ? t("It must not match, rather") : t("It must match, rather"), act(() => ({ act: "change", must_match: !example.must_match })), { name: "swap_horiz" }),
            button(t("Remove this example"), act(() => ({ act: "remove" })), { name: "delete", kind: "wb-quiet" })) : null);
      }) : [h("p", { class: "console-empty" }, t("None yet. Try a signal above and keep it: at least one it must match, and one it must not."))]));
    }

    lately() {
      const box = h("div", { role: "status" });
      const look = async () => {
        box.replaceChildren(h("p", { class: "wb-faint" }, t("Looking…")));
        const told = await this.ask("recent", this.wording());
        if (!told.ok) return box.replaceChildren(h("p", { class: "wb-fault" }, icon("error"), h("span", {}, told.message)));
        return box.replaceChildren(
          h("p", { class: "wb-verdict" }, t("{matched} of the last {count} signals match", { matched: told.matched, count: told.looked_at })),
          told.faults ? h("p", { class: "wb-fault" }, t("{count} could not be evaluated.", { count: told.faults })) : "",
          told.overlap.length ? this.overlapping(told.overlap) : told.matched ? h("p", { class: "wb-faint" }, t("No other rule has caught any of these.")) : "",
          told.samples.length ? h("ul", { class: "wb-samples" }, told.samples.map((found) => h("li", {}, h("a", { class: "console-link", href: found.url, target: "_blank", rel: "noopener" }, found.guild), ` ${found.time} · ${found.summary}`))) : "");
      };
      const tested = this.start.overlap;
      return h("div", {},
        tested ? h("p", {}, h("a", { class: "console-link", href: tested.url }, t("Backtest {span}", { span: tested.span }))) : null,
        tested ? (tested.overlap.length ? this.overlapping(tested.overlap) : h("p", { class: "wb-faint" }, t("No other rule has caught any of these."))) : null,
        h("p", { class: "wb-adders" }, button(t("Look"), look, { name: "query_stats" })), box);
    }

    overlapping(overlap) {
      return h("div", {}, h("p", { class: "wb-label" }, t("Other rules caught the same")),
        h("ul", { class: "wb-overlap" }, overlap.map((other) => h("li", {}, h("b", {}, other.rule), ` ${t("{both} of them, {share} %", { both: other.both, share: Math.round(other.share * 100) })}`,
          h("span", { class: "wb-bar" }, h("span", { style: `width:${Math.round(other.share * 100)}%` }))))));
    }

    /* --- consequences and texts --- */
    consequences(spec) {
      const [, number, unit] = /^(\d+)([dhm])$/.exec(spec.cooldown) || [null, "0", "d"];
      const cooldown = h("span", { class: "wb-value" },
        h("input", { class: "wb-input wb-short", inputmode: "numeric", value: number, oninput: (event) => { spec.cooldown = `${event.target.value.trim() || 0}${event.target.nextSibling.value}`; this.touched(); } }),
        select([["d", t("days")], ["h", t("hours")], ["m", t("minutes")]], unit, (value) => { spec.cooldown = spec.cooldown.replace(/[dhm]$/, value); this.touched(); }, { "aria-label": t("Unit of the cooldown"), disabled: !this.editable }));
      const cost = h("ul", { class: "wb-rungs" });
      const tell = (code) => cost.replaceChildren(...((this.choices.ladders.find((ladder) => ladder.code === code) || { words: [] }).words.map((line) => h("li", {}, line))));
      tell(spec.ladder);
      const shared = this.field(t("Share of the points, 0 to 1"), "share", this.input(spec.share, (value) => { spec.share = value; }, { inputmode: "decimal", placeholder: "0.5" }));
      shared.hidden = spec.charge !== "share";
      return h("div", { class: "wb-grid" },
        this.field(t("Review"), "review", this.choice(this.choices.reviews, spec.review, (value) => { spec.review = value; })),
        this.field(t("Cap per market and hour"), "cap", this.input(spec.cap, (value) => { spec.cap = value === "" ? null : value; }, { inputmode: "numeric", placeholder: t("none") }), t("Beyond it the rule pauses itself and asks a person.")),
        this.field(t("Cooldown"), "cooldown", cooldown, t("No second violation of the same subject within it.")),
        this.field(t("Ladder"), "ladder", h("div", {}, this.choice([["", t("Choose what it costs…")], ...this.choices.ladders.map((ladder) => [ladder.code, ladder.code])], spec.ladder, (value) => { spec.ladder = value; tell(value); }), cost)),
        this.field(t("Whose act it is"), "charge", this.choice([["", t("Whoever the signal names")], ["own", t("The guild's own act")], ["share", t("A creator's; the guild carries a share")]], spec.charge || "", (value) => { spec.charge = value || null; shared.hidden = value !== "share"; })),
        shared,
        this.field(t("Days of notice before it starts"), "notice_days", this.input(spec.notice_days, (value) => { spec.notice_days = value === "" ? null : value; }, { inputmode: "numeric", placeholder: t("as the law of the market asks") })),
        this.field(t("Penalties that wait for a second person"), "second_person", this.chips(spec.second_person, this.choices.kinds, { add: t("Add a kind of penalty"), label: (code) => (this.choices.kinds.find(([name]) => name === code) || [code, code])[1], changed: () => this.touched() })),
      );
    }

    texts(spec) {
      const box = h("div", { class: "wb-texts" });
      const languages = () => [...new Set(this.choices.markets.filter((market) => spec.markets.includes("*") || spec.markets.includes(market.code)).flatMap((market) => market.languages))].filter((tag) => !(tag in spec.text));
      const draw = (focus = "") => {
        const tags = Object.keys(spec.text).sort();
        const rows = tags.map((tag) => h("div", { class: "wb-text" },
          this.field(tag === "*" ? t("Any language") : tag, `text.${tag}`, this.area(spec.text[tag], (value) => { spec.text[tag] = value; }, 3)),
          this.editable ? button(t("Remove {value}", { value: tag }), () => { delete spec.text[tag]; draw(); this.touched(); }, { name: "close", kind: "wb-bare", hidden: true }) : null));
        const list = unique("languages");
        const add = h("input", { class: "wb-input wb-short", list, placeholder: "en", "aria-label": t("Language to add") });
        const take = () => {
          const tag = add.value.trim();
          if (!tag || tag in spec.text) return;
          spec.text[tag] = "";
          draw(tag);
          this.touched();
        };
        add.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); take(); } });
        box.replaceChildren(...rows, ...(rows.length ? [] : [h("p", { class: "console-empty" }, t("No text yet. Guilds must be able to read what is asked of them."))]),
          this.editable ? h("p", { class: "wb-adders" }, add, h("datalist", { id: list }, languages().map((value) => h("option", { value }))), button(t("Add a language"), take, { name: "add" })) : "");
        if (focus) box.querySelectorAll("textarea")[Object.keys(spec.text).sort().indexOf(focus)].focus();
      };
      draw();
      return h("div", { "data-box": "text" }, box, h("div", { class: "wb-problems", "data-problems": "text" }));
    }

    asText() {
      this.yaml = h("textarea", { class: "wb-source wb-yaml", rows: 16, spellcheck: "false", "aria-label": t("The rule as YAML"), readonly: !this.editable, oninput: () => { this.yamlChanged = true; told.textContent = t("Changed here only, until you take it over."); } }, this.start.yaml);
      const told = h("p", { class: "wb-faint", role: "status" });
      return h("div", { "data-box": "yaml" }, this.yaml, h("div", { class: "wb-problems", "data-problems": "yaml" }),
        h("p", { class: "wb-adders" }, this.editable ? button(t("Take over what is written here"), () => { this.unsaved = true; this.state(t("Not saved yet"), "wb-open"); this.revision = (this.revision || 0) + 1; told.textContent = ""; this.check("yaml"); }, { name: "done" }) : null,
          this.editable ? button(t("Discard what is written here"), () => { this.yamlChanged = false; told.textContent = ""; this.check(); }, { name: "undo" }) : null,
          button(t("Copy"), async () => {
            this.yaml.select();
            const done = navigator.clipboard ? await navigator.clipboard.writeText(this.yaml.value).then(() => true, () => false) : false;
            told.textContent = done ? t("Copied.") : t("Selected: copy it with Ctrl-C.");
          }, { name: "content_copy" })), told);
    }

    /* --- what is wrong, what differs, what is missing --- */
    problems(problems, hints) {
      const all = [...problems, ...hints.map((hint) => ({ ...hint, hint: true }))];
      for (const [where, condition] of this.conditions) condition.mark(all.filter((found) => found.where === where));
      this.problemsOf(all);
      const line = (found) => h("li", { class: found.hint ? "wb-hint" : "wb-fault" }, icon(found.hint ? "lightbulb" : "error"),
        h("button", { type: "button", class: "wb-jump", onclick: () => this.jump(found.where) }, h("b", {}, this.named(found.where)), " ", found.message));
      this.list.replaceChildren(all.length ? h("ul", {}, all.map(line)) : h("p", { class: "wb-good" }, icon("check_circle"), " ", t("No problems.")));
    }

    problemsOf(all) {
      for (const box of this.main.querySelectorAll("[data-problems]")) {
        const where = box.dataset.problems;
        const found = all.filter((item) => item.where === where || (where.startsWith("violation") && item.where === where.replace("_", ".")));
        box.replaceChildren(...found.map((item) => h("p", { class: item.hint ? "wb-hint" : "wb-fault" }, icon(item.hint ? "lightbulb" : "error"),
          h("span", {}, item.line && where === "yaml" ? `${t("line {line}", { line: item.line })}: ` : "", h("b", {}, item.message), item.cure ? ` ${item.cure}` : ""))));
        const input = box.parentElement.querySelector("input, select, textarea");
        if (input) input.toggleAttribute("aria-invalid", found.some((item) => !item.hint));
      }
    }

    named(where) {
      const names = { when: t("Condition"), on: t("Signal types"), text: t("What guilds read"), yaml: t("As text"), markets: t("Markets"), cap: t("Cap"), name: t("Name"), ladder: t("Ladder"), expires: t("Expires"), cooldown: t("Cooldown"), measures: t("Measures") };
      const measure = /^measures\[(\d+)\]/.exec(where);
      if (measure) return (this.spec.measures[measure[1]] || {}).name || t("Measures");
      return names[where] || where.replaceAll("_", " ");
    }

    jump(where) {
      const box = this.main.querySelector(`[data-box="${CSS.escape(where)}"]`) || this.main.querySelector(`[data-box="${CSS.escape(where.split(".")[0])}"]`);
      if (!box) return;
      for (const details of box.querySelectorAll("details")) if (where.endsWith(".where")) details.open = true;
      box.scrollIntoView({ block: "center" });
      const input = box.querySelector(".wb-source, input, select, textarea");
      if (input) input.focus({ preventScroll: true });
    }

    changes(changes, against) {
      this.differences.replaceChildren(against
        ? changes.length ? h("ul", {}, changes.map((change) => h("li", {}, change))) : h("p", { class: "wb-faint" }, t("Nothing differs."))
        : h("p", { class: "wb-faint" }, t("A new rule: nothing to compare with.")));
    }

    requirements(found) {
      this.ready.replaceChildren(h("ul", { class: "wb-ready" }, found.map((item) => h("li", { class: item.met ? "wb-good" : "wb-missing" },
        icon(item.met ? "check_circle" : "radio_button_unchecked"), h("span", {}, item.label, item.met || !item.cure ? null : h("small", {}, item.cure))))));
    }
  }
})();
