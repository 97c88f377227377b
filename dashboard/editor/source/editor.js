// The SQL editor of the dashboard: CodeMirror 6 with the snapshot's schema, as a Streamlit component (version 2).
// Build: npm ci && npm run build, here; the bundle in ../assets is what the package ships.
import { EditorView, basicSetup } from "codemirror"
import { EditorState, Compartment, Prec } from "@codemirror/state"
import { keymap, placeholder } from "@codemirror/view"
import { acceptCompletion, completionStatus } from "@codemirror/autocomplete"
import { HighlightStyle, syntaxHighlighting } from "@codemirror/language"
import { sql, PostgreSQL, SQLDialect } from "@codemirror/lang-sql"
import { tags } from "@lezer/highlight"

// Longest pause in typing before the server hears of the text, milliseconds.
const PAUSE = 500

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: "var(--st-blue-text-color)", fontWeight: "600" },
  { tag: [tags.string, tags.special(tags.string)], color: "var(--st-green-text-color)" },
  { tag: [tags.number, tags.bool, tags.null], color: "var(--st-orange-text-color)" },
  { tag: [tags.standard(tags.name), tags.typeName], color: "var(--st-violet-text-color)" },
  { tag: [tags.lineComment, tags.blockComment], color: "var(--st-gray-text-color)", fontStyle: "italic" },
])

const looks = EditorView.theme({
  "&": {
    backgroundColor: "var(--st-secondary-background-color)",
    color: "var(--st-text-color)",
    border: "1px solid var(--st-border-color)",
    borderRadius: "var(--st-base-radius)",
    fontSize: "14px",
  },
  "&.cm-focused": { outline: "2px solid var(--st-primary-color)", outlineOffset: "-1px" },
  ".cm-scroller": { fontFamily: "var(--st-code-font)", lineHeight: "1.55", minHeight: "12rem", maxHeight: "28rem" },
  ".cm-content": { caretColor: "var(--st-text-color)", padding: "8px 0" },
  ".cm-cursor": { borderLeftColor: "var(--st-text-color)" },
  ".cm-gutters": {
    backgroundColor: "transparent", color: "var(--st-gray-text-color)", border: "none", paddingLeft: "4px",
  },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--st-primary-color) 9%, transparent)" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": {
    backgroundColor: "color-mix(in srgb, var(--st-primary-color) 28%, transparent)",
  },
  ".cm-tooltip": {
    backgroundColor: "var(--st-background-color)", color: "var(--st-text-color)",
    border: "1px solid var(--st-border-color)", borderRadius: "var(--st-base-radius)",
  },
  ".cm-tooltip.cm-tooltip-autocomplete > ul": { fontFamily: "var(--st-code-font)", fontSize: "13px" },
  ".cm-tooltip-autocomplete ul li[aria-selected]": { backgroundColor: "var(--st-primary-color)", color: "#fff" },
  ".cm-completionDetail": { opacity: "0.75", marginLeft: "0.8em" },
  ".cm-completionInfo": { maxWidth: "24rem", padding: "6px 10px", fontFamily: "var(--st-font)", fontSize: "13px" },
  ".cm-panels": { backgroundColor: "var(--st-background-color)", color: "var(--st-text-color)" },
})

const duckdb = SQLDialect.define({
  ...PostgreSQL.spec,
  keywords: `${PostgreSQL.spec.keywords} qualify pivot unpivot asof anti semi exclude replace summarize sample`,
  builtin: `${PostgreSQL.spec.builtin || ""}`,
})

function language(data) {
  const schema = {}
  for (const table of data.tables || []) {
    schema[table.name] = {
      self: { label: table.name, type: "class", detail: table.rows, info: table.comment },
      children: table.columns.map(([label, detail, info]) => ({ label, type: "property", detail, info: info || undefined })),
    }
  }
  const support = sql({ dialect: duckdb, schema: { analytics: schema, ...schema }, upperCaseKeywords: true })
  const functions = (data.functions || []).map(([label, detail, info]) => ({
    label, detail, info, type: "function", apply: `${label}(`, boost: 1,
  }))
  const offered = duckdb.language.data.of({
    autocomplete: (context) => {
      const word = context.matchBefore(/\w+/)
      return word && (word.from !== word.to || context.explicit) ? { from: word.from, options: functions } : null
    },
  })
  return [support, offered]
}

const views = new WeakMap()

export default function (component) {
  const { data, parentElement } = component
  let kept = views.get(parentElement)
  if (!kept) {
    kept = create(parentElement, data)
    views.set(parentElement, kept)
  }
  kept.component = component
  if (data.version !== kept.version) {
    // The server put another text into the editor: a catalogued query, a link, history.
    kept.version = data.version
    kept.sent = data.text
    if (kept.view.state.doc.toString() !== data.text) {
      kept.view.dispatch({ changes: { from: 0, to: kept.view.state.doc.length, insert: data.text } })
    }
  }
  if (data.schema !== kept.schema) {
    kept.schema = data.schema
    kept.view.dispatch({ effects: kept.grammar.reconfigure(language(data)) })
  }
  return () => {
    clearTimeout(kept.timer)
    kept.view.destroy()
    views.delete(parentElement)
  }
}

function create(parentElement, data) {
  const kept = { version: data.version, sent: data.text, schema: data.schema, grammar: new Compartment(), timer: 0 }
  const text = () => kept.view.state.doc.toString()
  const tell = () => {
    clearTimeout(kept.timer)
    if (text() === kept.sent) return
    kept.sent = text()
    kept.component.setStateValue("text", kept.sent)
  }
  const run = () => {
    tell()
    kept.component.setTriggerValue("run", text())
    return true
  }
  const keys = Prec.highest(keymap.of([
    { key: "Mod-Enter", run },
    // Tab accepts what is offered; otherwise it leaves the editor, as on every other part of the page.
    { key: "Tab", run: (view) => completionStatus(view.state) === "active" && acceptCompletion(view) },
  ]))
  const heard = EditorView.updateListener.of((update) => {
    if (!update.docChanged) return
    clearTimeout(kept.timer)
    kept.timer = setTimeout(tell, PAUSE)
  })
  const place = parentElement.querySelector(".editor")
  kept.view = new EditorView({
    parent: place,
    root: parentElement.getRootNode(),
    state: EditorState.create({
      doc: data.text,
      extensions: [
        keys,
        basicSetup,
        kept.grammar.of(language(data)),
        syntaxHighlighting(colours),
        looks,
        EditorView.lineWrapping,
        placeholder("SELECT ..."),
        EditorView.contentAttributes.of({ "aria-label": "Query" }),
        EditorView.domEventHandlers({ blur: () => { tell(); return false } }),
        heard,
      ],
    }),
  })
  return kept
}
