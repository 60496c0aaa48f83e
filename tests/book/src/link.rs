//! Links between pages, and the anchors that they name.

use crate::block::blocks;

/// Targets of the links of a page that lead to no other site.
pub fn relative(page: &str) -> Vec<String> {
    let prose = prose(page);
    let mut found = Vec::new();
    for part in prose.split("](").skip(1) {
        let target = part.split(')').next().unwrap_or_default();
        if !target.contains("://") && !target.starts_with("mailto:") {
            found.push(target.to_owned());
        }
    }
    found
}

/// The anchors of a page's headings.
pub fn anchors(page: &str) -> Vec<String> {
    prose(page)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| anchor(line.trim_start_matches('#').trim()))
        .collect()
}

/// The anchor of a heading, as mdBook and GitHub make it.
pub fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|letter| match letter {
            ' ' => Some('-'),
            letter if letter.is_alphanumeric() || matches!(letter, '-' | '_') => Some(letter),
            _ => None,
        })
        .collect()
}

/// The page without its blocks.
fn prose(page: &str) -> String {
    let lines: Vec<&str> = page.lines().collect();
    let mut keep = vec![true; lines.len()];
    for block in blocks(page) {
        let end = block.line + block.text.lines().count();
        (block.line - 1..=end).for_each(|index| keep[index] = false);
    }
    let kept = lines.iter().zip(keep).filter(|(_, keep)| *keep);
    kept.map(|(line, _)| format!("{line}\n")).collect()
}
