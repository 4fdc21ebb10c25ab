//! Near misses: what somebody may have meant.

use super::id::Id;
use super::problem::Near;
use super::resource::Resource;

/// How many are named.
const NAMED: usize = 3;

/// Texts that differ from one by little, the nearest first.
pub(super) fn texts<'a>(wanted: &str, among: impl Iterator<Item = &'a str>) -> Near {
    let allowed = (wanted.chars().count() / 3).max(2);
    let mut found: Vec<(usize, &str)> = among
        .take(10_000)
        .map(|text| (distance(wanted, text, allowed), text))
        .filter(|(distance, _)| *distance <= allowed)
        .collect();
    found.sort_unstable();
    found.dedup();
    Near(
        found
            .into_iter()
            .take(NAMED)
            .map(|(_, text)| format!("{text:?}"))
            .collect(),
    )
}

/// Objects that share the name, or the kind and nearly the name.
pub(super) fn objects(wanted: &Id<'_>, among: &[Resource]) -> Near {
    let allowed = (wanted.name.chars().count() / 3).max(2);
    let mut found: Vec<(usize, String)> = among
        .iter()
        .take(10_000)
        .filter_map(|resource| {
            let id = resource.id();
            let first = resource.first_id();
            let name = distance(wanted.name, id.name, allowed).min(distance(
                wanted.name,
                first.name,
                allowed,
            ));
            let kind = usize::from(id.gvk.kind != wanted.gvk.kind);
            let other = usize::from(id.gvk != wanted.gvk)
                + usize::from(id.effective_namespace() != wanted.effective_namespace());
            let near = (kind == 0 && name <= allowed) || (kind == 1 && name == 0);
            let version = match (id.gvk.group, id.gvk.version) {
                ("", version) => version.to_owned(),
                (group, version) => format!("{group}/{version}"),
            };
            near.then(|| (name * 4 + kind * 2 + other, format!("{id} ({version})")))
        })
        .collect();
    found.sort();
    Near(
        found
            .into_iter()
            .take(NAMED)
            .map(|(_, text)| text)
            .collect(),
    )
}

/// The number of letters to change, add or leave out; `limit + 1` where it is more than that.
fn distance(from: &str, to: &str, limit: usize) -> usize {
    let from: Vec<char> = from.chars().take(256).collect();
    let to: Vec<char> = to.chars().take(256).collect();
    if from.len().abs_diff(to.len()) > limit {
        return limit + 1;
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()].min(limit + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_count_letters() {
        assert_eq!(distance("web", "web", 1), 0);
        assert_eq!(distance("resource", "resources", 2), 1);
        assert_eq!(distance("kitten", "sitting", 3), 3);
        assert_eq!(distance("a", "abcdef", 2), 3);
        assert_eq!(distance("", "ab", 2), 2);
    }
}
