//! The name that a person meant who mistyped one.

/// The name that is nearest to `word`, unless all are far from it: more than a third of its letters are wrong, missing, too
/// many or swapped with their neighbour. The first of several that are equally near.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 3).max(1);
    names
        .into_iter()
        .map(|name| (distance(word, name), name))
        .filter(|(far, _)| *far <= most)
        .min_by_key(|(far, _)| *far)
        .map(|(_, name)| name)
}

/// How many letters must be changed, added, removed or swapped with their neighbour to make `other` of `word`.
fn distance(word: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    let mut last = None;
    for (number, letter) in word.chars().enumerate() {
        let mut next = vec![number + 1];
        for (at, theirs) in other.iter().enumerate() {
            let changed = row[at] + usize::from(letter != *theirs);
            let mut least = changed.min(row[at + 1] + 1).min(next[at] + 1);
            let swapped = at > 0 && last == Some(*theirs) && other[at - 1] == letter;
            if swapped && number > 0 {
                least = least.min(before[at - 1] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(letter);
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_near_and_another_word_is_not() {
        let names = ["buster", "bullseye", "bookworm", "trixie"];
        for (word, near) in [
            ("bulseye", Some("bullseye")),
            ("bullsyee", Some("bullseye")),
            ("bokworm", Some("bookworm")),
            ("trixi", Some("trixie")),
            ("bullseye", Some("bullseye")),
            ("12", None),
            ("", None),
            ("jessie", None),
        ] {
            assert_eq!(nearest(word, names), near, "{word}");
        }
        assert_eq!(nearest("a", []), None);
    }

    #[test]
    fn swapped_neighbours_are_one_slip() {
        assert_eq!(distance("ab", "ba"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
