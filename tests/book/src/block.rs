//! Fenced blocks, and what their info strings say.

/// A fenced block of a page.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// Line of the opening fence, from 1.
    pub line: usize,
    /// First word of the info string, such as `toml`.
    pub language: String,
    /// The words after it that are no `key=value`, such as `scenario`.
    pub words: Vec<String>,
    /// The `key=value` words; a value with blanks stands in double quotes.
    pub keys: Vec<(String, String)>,
    /// What stands between the fences.
    pub text: String,
}

impl Block {
    /// The value of a key.
    pub fn key(&self, name: &str) -> Option<&str> {
        let found = self.keys.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// The blocks of a page, in its order.
///
/// # Panics
/// When a block is not closed.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some(begin(index + 1, info)),
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed: {open:?}");
    found
}

fn begin(line: usize, info: &str) -> Block {
    let mut block = Block {
        line,
        language: String::new(),
        words: Vec::new(),
        keys: Vec::new(),
        text: String::new(),
    };
    for (index, word) in words(info).into_iter().enumerate() {
        if index == 0 {
            block.language = word;
        } else if let Some((key, value)) = word.split_once('=') {
            block.keys.push((key.to_owned(), value.to_owned()));
        } else {
            block.words.push(word);
        }
    }
    block
}

fn words(info: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in info.chars() {
        match letter {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The commands of a `sh` block, each with the exit code that it must have. A line that ends in `\` goes on with the next.
pub fn commands(text: &str) -> Vec<(String, i32)> {
    text.replace("\\\n", " ")
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let code = line.rsplit_once("# exit ").map_or(0, |(_, code)| {
                let code = code.split(|letter: char| !letter.is_ascii_digit()).next();
                code.unwrap().parse().unwrap()
            });
            (line.to_owned(), code)
        })
        .collect()
}

/// Whether the file has these lines one after the other; indentation and blanks at the ends of lines do not count.
pub fn is_part_of(part: &str, file: &str) -> bool {
    let trimmed =
        |text: &str| -> Vec<String> { text.lines().map(|l| l.trim().to_owned()).collect() };
    let part = trimmed(part);
    !part.is_empty() && trimmed(file).windows(part.len()).any(|lines| lines == part)
}
