// Makes the tables of executed pages sortable by a click on a heading, or by Enter or space on it (Tablesort).
// Cells with signs, percentages, intervals or "±" go by the number they begin with; dashes are below every number.
(() => {
  const MISSING = -Number.MAX_VALUE;
  const names = new Intl.Collator("en", { numeric: true });

  function value(text) {
    if (/^[–—-]?$/.test(text)) return MISSING;
    const number = text.replaceAll("−", "-").replace(/(\d),(?=\d{3})/g, "$1").match(/^[+-]?\d+(\.\d+)?(e[+-]?\d+)?/);
    return number ? Number(number[0]) : NaN;
  }

  function prepare(table) {
    [...[...table.tHead.rows].at(-1).cells].forEach((heading, column) => {
      const cells = [...table.tBodies[0].rows].map((row) => row.cells[column]);
      const values = cells.map((cell) => value(cell.textContent.trim()));
      const numeric = values.every((number) => !Number.isNaN(number)) && values.some((number) => number !== MISSING);
      heading.dataset.sortMethod = numeric ? "number" : "text";
      if (numeric) cells.forEach((cell, row) => (cell.dataset.sort = values[row]));
      heading.addEventListener("keydown", (event) => {
        if (event.key !== " ") return; // Tablesort takes Enter
        event.preventDefault();
        heading.click();
      });
    });
    new Tablesort(table);
  }

  function regular(table) {
    const rows = [...(table.tBodies[0]?.rows ?? [])];
    const headings = [...(table.tHead?.rows ?? [])].at(-1)?.cells;
    return rows.length > 1 && rows.every((row) => row.cells.length === headings?.length);
  }

  // verdicts on claims, and whether a fault changes an exhibit: coloured, their words stay
  const SAYS = { supported: "yes", contradicted: "no", inconclusive: "open", changes: "no", "none seen": "open" };

  function colour(cell) {
    const said = Object.keys(SAYS).find((word) => cell.textContent.trim().toLowerCase().startsWith(word));
    if (said) cell.dataset.says = SAYS[said];
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("article td").forEach(colour);
    Tablesort.extend("number", () => false, (one, other) => other - one); // it asks for the descending order
    Tablesort.extend("text", () => false, (one, other) => names.compare(other.trim(), one.trim()));
    [...document.querySelectorAll(".cell_output table")].filter(regular).forEach(prepare);
  });
})();
