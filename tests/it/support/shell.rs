//! A command line as a shell would read it, as far as transcripts need it:
//! quotes, pipes, one redirection. What it does not know it refuses, so that no
//! transcript means something else in a real shell.

use std::iter::Peekable;
use std::str::Chars;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The words of each command between pipes.
    pub pipeline: Vec<Vec<String>>,
    /// Where the output goes, and whether it is appended.
    pub redirect: Option<(String, bool)>,
}

/// Splits a line.
pub fn parse(text: &str) -> Result<Line, String> {
    let mut line = Line { pipeline: vec![Vec::new()], redirect: None };
    let mut chars = text.chars().peekable();
    let mut to_file = None;
    while let Some(&c) = chars.peek() {
        match c {
            ' ' => {
                chars.next();
            }
            '|' => {
                chars.next();
                line.pipeline.push(Vec::new());
            }
            '>' => {
                chars.next();
                to_file = Some(chars.next_if_eq(&'>').is_some());
            }
            _ => {
                let word = word(&mut chars)?;
                match to_file.take() {
                    Some(append) => line.redirect = Some((word, append)),
                    None => line.pipeline.last_mut().expect("there is always one").push(word),
                }
            }
        }
    }
    if to_file.is_some() || line.pipeline.iter().any(Vec::is_empty) {
        return Err("a command or a file is missing".to_owned());
    }
    Ok(line)
}

fn word(chars: &mut Peekable<Chars<'_>>) -> Result<String, String> {
    let mut word = String::new();
    while let Some(&c) = chars.peek() {
        if matches!(c, ' ' | '|' | '>') {
            break;
        }
        chars.next();
        match c {
            '\'' => word.push_str(&until_quote(chars, '\'')?),
            '"' => {
                let text = until_quote(chars, '"')?;
                if text.contains(['$', '`']) {
                    return Err(format!("`{text}` is not understood in double quotes"));
                }
                word.push_str(&text.replace("\\\"", "\"").replace("\\\\", "\\"));
            }
            '$' if chars.next_if_eq(&'\'').is_some() => {
                let bytes = escapes(&until_quote(chars, '\'')?);
                word.push_str(&String::from_utf8_lossy(&bytes));
            }
            '\\' => word.extend(chars.next()),
            '$' | '`' | ';' | '&' | '<' | '(' | ')' | '*' | '~' => {
                return Err(format!("`{c}` is not understood; quote it"));
            }
            c => word.push(c),
        }
    }
    Ok(word)
}

/// The text up to a closing quote; in double quotes `\"` does not close.
fn until_quote(chars: &mut Peekable<Chars<'_>>, quote: char) -> Result<String, String> {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        if c == quote {
            return Ok(text);
        }
        text.push(c);
        if c == '\\' && quote == '"' {
            text.extend(chars.next());
        }
    }
    Err("a quote is not closed".to_owned())
}

/// What `printf` and `$'…'` make of backslashes. `\xff` is a byte, which need
/// not be a character.
pub fn escapes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let c = match (c, (c == '\\').then(|| chars.next()).flatten()) {
            (_, Some('n')) => '\n',
            (_, Some('t')) => '\t',
            (_, Some('r')) => '\r',
            (_, Some('0')) => '\0',
            (_, Some('u')) => char::from_u32(number(&mut chars, 4)).unwrap_or('\u{fffd}'),
            (_, Some('x')) => {
                out.push(u8::try_from(number(&mut chars, 2)).unwrap_or(0));
                continue;
            }
            (_, Some(escaped)) => escaped,
            (c, None) => c,
        };
        out.extend(c.encode_utf8(&mut [0; 4]).bytes());
    }
    out
}

fn number(chars: &mut Peekable<Chars<'_>>, most: usize) -> u32 {
    let mut value = 0;
    for _ in 0..most {
        let Some(digit) = chars.peek().and_then(|c| c.to_digit(16)) else { break };
        value = value * 16 + digit;
        chars.next();
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_a_shell_does() {
        let line = parse(r#"orch add "it's \"here\"" --note 'a|b' $'\x1b' >> out.txt"#).unwrap();
        let words = ["orch", "add", "it's \"here\"", "--note", "a|b", "\u{1b}"];
        assert_eq!(line.pipeline, [words]);
        assert_eq!(line.redirect, Some(("out.txt".to_owned(), true)));
        assert_eq!(parse("echo x | orch note 1 -").unwrap().pipeline.len(), 2);
        assert!(parse("orch list; rm x").is_err() && parse("echo $HOME").is_err());
    }

    #[test]
    fn bytes_that_are_no_text_can_be_written() {
        assert_eq!(escapes(r"a\xff\u202e\n\0"), b"a\xff\xe2\x80\xae\n\0");
    }
}
