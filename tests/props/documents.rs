//! Messy ledgers, written from a sequence of choices.
//!
//! Shared by proptest and the fuzz targets: both give bytes, and every byte
//! decides one thing. Byte 0 and the end of the sequence mean the plainest
//! choice, so that a shorter sequence of smaller bytes is a plainer document,
//! and shrinking the bytes shrinks the document.

/// A sequence of choices.
#[derive(Debug)]
pub struct Choices<'a> {
    bytes: &'a [u8],
}

impl<'a> Choices<'a> {
    /// From the bytes of a fuzzer or of proptest.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// One of `n`; 0 where no byte is left.
    pub fn pick(&mut self, n: usize) -> usize {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        usize::from(*first) % n
    }

    /// Yes once in `n` times; no where no byte is left.
    fn rarely(&mut self, n: usize) -> bool {
        self.pick(n) == n - 1
    }

    /// One of a list.
    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.pick(list.len())]
    }
}

/// Every task column: its canonical name, then its aliases and spellings.
const TASK_COLUMNS: [&[&str]; 10] = [
    &["task_id", "id", "ID", "タスクID", "Task_ID"],
    &["title", "件名", "タイトル", "Title"],
    &["state", "status", "状態", "STATE"],
    &["owner", "担当", "担当者", "Owner"],
    &["lock", "ロック"],
    &["lock_owner", "ロック所有者"],
    &["lock_expires_at", "ロック期限"],
    &["due", "期限"],
    &["artifact", "成果物"],
    &["notes", "備考", "Notes"],
];

const APPROVAL_COLUMNS: [&[&str]; 10] = [
    &["appr_id", "id", "承認ID"],
    &["task_id", "タスクID"],
    &["op", "操作"],
    &["status", "状態"],
    &["requested_by", "申請者"],
    &["approver", "承認者"],
    &["approver_role", "承認者役割"],
    &["ts_req", "申請日時"],
    &["ts_dec", "決定日時"],
    &["evidence", "証跡"],
];

const EXTRA_COLUMNS: [&str; 9] =
    ["sprint", "優先", "", "a \\| b", "title", "**bold**", "工数", "x`y", "👩‍💻"];

const CELLS: [&str; 44] = [
    "",
    "-",
    "one",
    "READY",
    "DOING",
    "WORK@ada",
    "a longer text that makes the column wide",
    "台帳を直す",
    "priority=HIGH・depends=001+002",
    "2026-01-02T03:04:05Z",
    "x \\| y",
    "\\|",
    "a\\\\| b",
    "end\\",
    "\\",
    "`x|y`",
    "`x\\|y`",
    "👩‍👩‍👧‍👦 family",
    "🇯🇵",
    "1\u{fe0f}\u{20e3}",
    "e\u{301}",
    "\u{a0}",
    "\u{3000}全角\u{3000}",
    "\u{200d}",
    "\u{fe0f}",
    "\u{feff}",
    "-->",
    "<!-- c",
    "<!-- c -->",
    "<br>",
    "<div>",
    "?>",
    "---",
    ":-:",
    "--",
    "# no heading",
    "- no item",
    "1. no item",
    "> no quote",
    "```",
    "a\tb",
    "\u{c}",
    "\u{b}x",
    "**bold** _it_ [l](u)",
];

const PROSE: [&str; 16] = [
    "Some words about the work.",
    "作業の説明。",
    "A line | with | pipes",
    "| only | a | row |",
    "|",
    "\\| escaped",
    "---",
    "===",
    "***",
    "<div>",
    "</div> text",
    "[ref]: /url 'title",
    "[label",
    "    indented code | x",
    "<!-->",
    "- item",
];

const HTML_OPEN: [&str; 8] =
    ["<!-- note", "<!--", "<script>", "<pre>", "<?php", "<!DOCTYPE x", "<![CDATA[", "<div>"];

const HTML_CLOSE: [&str; 8] =
    ["-->", "text --> more", "</script>", "</pre>", "?>", ">", "]]>", "</div>"];

/// Fragments that matter to a Markdown parser, for documents without any plan.
const SOUP: [&str; 30] = [
    "|",
    "\n",
    "-",
    " ",
    "| a | b | c | d |",
    "|---|---|---|---|",
    "\n",
    "|---",
    ":",
    "\\|",
    "`",
    ">",
    "- ",
    "\t",
    "<!--",
    "-->",
    "```",
    "#",
    "\u{feff}",
    "\r",
    "\r\n",
    "    ",
    "~~~",
    "1. ",
    "*",
    "| id | title | state | owner |",
    "x",
    "日",
    "[",
    "]: ",
];

/// A document.
pub fn document(c: &mut Choices<'_>) -> String {
    let mut out = String::new();
    if c.rarely(12) {
        out.push_str("---\ntitle: x\nlist: [a | b]\n---\n");
    }
    let parts = 1 + c.pick(5);
    for part in 0..parts {
        if part > 0 && !c.rarely(8) {
            out.push('\n');
        }
        match c.pick(20) {
            0..=7 => table(c, &mut out, &TASK_COLUMNS),
            8 | 9 => prose(c, &mut out),
            10 => heading(c, &mut out),
            11 => fence(c, &mut out),
            12 => html(c, &mut out),
            13 | 14 => contained(c, &mut out),
            15 => table(c, &mut out, &APPROVAL_COLUMNS),
            16 => summary(c, &mut out),
            17 => out.push_str(&"\n".repeat(1 + c.pick(3))),
            18 => {
                out.push_str("| ");
                cells(c, &mut out, 4);
                out.push_str(" |\n");
            }
            _ => soup(c, &mut out),
        }
    }
    finish(c, out)
}

/// A document without a plan.
fn soup(c: &mut Choices<'_>, out: &mut String) {
    for _ in 0..c.pick(40) {
        let fragment = c.of(&SOUP);
        out.push_str(fragment);
    }
    out.push('\n');
}

/// Line ends, the byte order mark and the end of the file.
fn finish(c: &mut Choices<'_>, text: String) -> String {
    let mut text = text;
    match c.pick(16) {
        0..=8 => {}
        9..=11 => text = text.replace('\n', "\r\n"),
        12 => text = text.replace('\n', "\r"),
        _ => {
            let mut mixed = String::with_capacity(text.len() + 16);
            for line in text.split_inclusive('\n') {
                match line.strip_suffix('\n') {
                    Some(line) => {
                        mixed.push_str(line);
                        mixed.push_str(["\n", "\r\n", "\n", "\r"][c.pick(4)]);
                    }
                    None => mixed.push_str(line),
                }
            }
            text = mixed;
        }
    }
    if c.rarely(6) {
        text.truncate(text.trim_end_matches(['\n', '\r']).len());
    }
    if c.rarely(10) {
        text.insert(0, '\u{feff}');
    }
    text
}

fn prose(c: &mut Choices<'_>, out: &mut String) {
    for _ in 0..=c.pick(3) {
        let line = c.of(&PROSE);
        out.push_str(line);
        out.push('\n');
    }
}

fn heading(c: &mut Choices<'_>, out: &mut String) {
    let heading = c.of(&[
        "## Tasks",
        "### T-1 details",
        "# T-2: one | two",
        "Set\n===",
        "| set |\n---",
        "#### T-3（備考）",
    ]);
    out.push_str(heading);
    out.push('\n');
}

fn fence(c: &mut Choices<'_>, out: &mut String) {
    let mark = c.of(&["```", "~~~", "````md", "  ```"]);
    out.push_str(mark);
    out.push('\n');
    table(c, out, &TASK_COLUMNS);
    if !c.rarely(6) {
        out.push_str(mark.trim_end_matches("md"));
        out.push('\n');
    }
}

fn html(c: &mut Choices<'_>, out: &mut String) {
    let kind = c.pick(HTML_OPEN.len());
    out.push_str(HTML_OPEN[kind]);
    out.push('\n');
    if c.rarely(3) {
        out.push('\n');
    }
    table(c, out, &TASK_COLUMNS);
    if !c.rarely(4) {
        let close = if c.rarely(4) { c.of(&HTML_CLOSE) } else { HTML_CLOSE[kind] };
        out.push_str(close);
        out.push('\n');
    }
}

/// A table in block quotes and list items.
fn contained(c: &mut Choices<'_>, out: &mut String) {
    let (first, rest) = c.of(&[
        ("> ", "> "),
        ("- ", "  "),
        (">", ">"),
        ("1. ", "   "),
        ("> > ", "> > "),
        ("- - ", "    "),
        ("> - ", ">   "),
        ("- > ", "  > "),
        ("-\t", "\t"),
        ("   > ", "> "),
    ]);
    let mut inner = String::new();
    if c.rarely(4) {
        inner.push_str("words\n\n");
    }
    table(c, &mut inner, &TASK_COLUMNS);
    for (i, line) in inner.split_inclusive('\n').enumerate() {
        // Now and then a line that forgets its container.
        let prefix = match (i, c.pick(24)) {
            (0, _) => first,
            (_, 23) => "",
            (_, 22) => rest.trim_end(),
            _ => rest,
        };
        out.push_str(prefix);
        out.push_str(line);
    }
}

/// A table that is no ledger, though it names tasks.
fn summary(c: &mut Choices<'_>, out: &mut String) {
    out.push_str("| task_id | due |\n|---|---|\n");
    for _ in 0..c.pick(3) {
        out.push_str("| ");
        cells(c, out, 2);
        out.push_str(" |\n");
    }
}

fn cell(c: &mut Choices<'_>) -> String {
    if c.rarely(12) {
        return (0..c.pick(4)).map(|_| c.of(&CELLS)).collect();
    }
    c.of(&CELLS).to_owned()
}

fn cells(c: &mut Choices<'_>, out: &mut String, n: usize) {
    for i in 0..n {
        if i > 0 {
            out.push_str(" | ");
        }
        let cell = cell(c);
        out.push_str(&cell);
    }
}

/// How the rows of one table are written.
struct Style {
    indent: &'static str,
    opens: bool,
    closes: bool,
    pad: (&'static str, &'static str),
    trailing: &'static str,
    column_width: usize,
}

impl Style {
    fn line(&self, c: &mut Choices<'_>, cells: &[String], out: &mut String) {
        out.push_str(self.indent);
        // A row may be written by somebody else.
        let (opens, closes) = match c.pick(24) {
            23 => (false, false),
            22 => (true, false),
            21 => (false, true),
            _ => (self.opens, self.closes),
        };
        if opens {
            out.push('|');
        }
        for (i, cell) in cells.iter().enumerate() {
            if i > 0 {
                out.push('|');
            }
            out.push_str(self.pad.0);
            out.push_str(cell);
            let width = cell.chars().count();
            out.push_str(&" ".repeat(self.column_width.saturating_sub(width)));
            out.push_str(self.pad.1);
        }
        if closes {
            out.push('|');
        }
        out.push_str(self.trailing);
        out.push('\n');
    }
}

/// A table of a ledger, or what nearly is one.
fn table(c: &mut Choices<'_>, out: &mut String, known: &[&'static [&'static str]; 10]) {
    let style = Style {
        indent: if c.rarely(5) { c.of(&[" ", "  ", "   ", "    ", "\t"]) } else { "" },
        opens: !c.rarely(7),
        closes: !c.rarely(7),
        pad: c.of(&[
            (" ", " "),
            (" ", " "),
            ("", ""),
            (" ", ""),
            ("", " "),
            ("  ", "  "),
            ("\t", " "),
        ]),
        trailing: if c.rarely(8) { c.of(&[" ", "\t", "  "]) } else { "" },
        column_width: c.of(&[0, 0, 6, 3]),
    };
    let header = header(c, known);
    style.line(c, &header, out);
    delimiter(c, &style, header.len(), out);
    let ids = c.of(&["T-", "", "A", "タスク", "006-P∞"]);
    // Ids go on from table to table: the line says which number comes next.
    let first = out.matches('\n').count();
    for n in first..first + c.of(&[2, 1, 3, 4, 6, 0]) {
        let mut row: Vec<String> = header.iter().map(|_| cell(c)).collect();
        let at = header.iter().position(|name| known[0].contains(&name.as_str()));
        if let Some(id) = at.and_then(|at| row.get_mut(at)) {
            *id = match c.pick(16) {
                15 => format!("{ids}{first}"),
                14 => "-".to_owned(),
                13 => "a\\|b".to_owned(),
                12 => "--".to_owned(),
                _ => format!("{ids}{n}"),
            };
        }
        match c.pick(12) {
            11 => row.truncate(1 + c.pick(4)),
            10 => row.extend((0..=c.pick(2)).map(|_| "more".to_owned())),
            _ => {}
        }
        // Blank lines before a row detach it.
        match c.pick(16) {
            15 => out.push('\n'),
            14 => out.push_str(" \t\n\n"),
            _ => {}
        }
        style.line(c, &row, out);
        if c.rarely(24) {
            let line = c.of(&PROSE);
            out.push_str(line);
            out.push('\n');
        }
    }
}

/// Names of columns: the required ones and some others, in any order.
fn header(c: &mut Choices<'_>, known: &[&'static [&'static str]; 10]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (i, aliases) in known.iter().enumerate() {
        let wanted = if i < 4 { !c.rarely(40) } else { c.rarely(3) };
        if wanted {
            let name = c.of(aliases);
            names.push(name.to_owned());
        }
    }
    for _ in 0..c.pick(3) {
        let name = c.of(&EXTRA_COLUMNS);
        let at = c.pick(names.len() + 1);
        names.insert(at, name.to_owned());
    }
    for i in (1..names.len()).rev() {
        if c.rarely(3) {
            let other = c.pick(i + 1);
            names.swap(i, other);
        }
    }
    names
}

fn delimiter(c: &mut Choices<'_>, style: &Style, columns: usize, out: &mut String) {
    let columns = match c.pick(24) {
        23 => columns + 1,
        22 => columns.saturating_sub(1),
        _ => columns,
    };
    let cells: Vec<String> = (0..columns)
        .map(|_| match c.pick(10) {
            9 => ":-:".to_owned(),
            8 => "---:".to_owned(),
            7 => ":---".to_owned(),
            6 => "-".to_owned(),
            _ => "-".repeat(3.max(style.column_width)),
        })
        .collect();
    let style = Style { column_width: 0, ..*style };
    style.line(c, &cells, out);
}

/// A value that somebody may want in a cell.
pub fn value(c: &mut Choices<'_>) -> String {
    match c.pick(12) {
        0..=8 => cell(c),
        9 => {
            let (a, b) = (cell(c), cell(c));
            format!("{a}\n{b}")
        }
        10 => (0..c.pick(6)).map(|_| c.of(&SOUP)).collect(),
        _ => c
            .of(&[
                "line\r\nline\n",
                " padded ",
                "\t",
                "\u{1b}[31m",
                "a\u{202e}b",
                "|",
                "a|b|c\\|",
                "\u{2028}",
            ])
            .to_owned(),
    }
}
