//! What a run is called: the expression over its path below the watch directory.

use regex::Regex;

/// The most levels of directories that a pattern may have.
pub(super) const LEVELS: usize = 4;

/// Groups whose names begin so tell the files of one run apart.
const SEGMENT: &str = "segment";

/// A pattern over the path of a run below its watch directory.
#[derive(Clone, Debug)]
pub struct Pattern {
    whole: Regex,
    /// One a level, where the pattern can be divided at its `/`; else each level may be anything.
    levels: Vec<Option<Regex>>,
    files: bool,
    segments: Vec<String>,
}

impl Pattern {
    /// Reads a pattern, which must match the whole path.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let whole = whole(text)?;
        let parts = parts(text);
        if parts.len() > LEVELS {
            return Err(format!("it has more than {LEVELS} levels"));
        }
        let each: Option<Vec<Regex>> = parts.iter().map(|part| self::whole(part).ok()).collect();
        let levels = match each {
            Some(each) => each.into_iter().map(Some).collect(),
            None => vec![None; parts.len()],
        };
        let groups = whole.capture_names().flatten();
        let segments = groups.filter(|name| name.starts_with(SEGMENT));
        Ok(Self {
            segments: segments.map(str::to_owned).collect(),
            // Names of directories seldom have an extension; a stray file is no run.
            files: text.contains(r"\.") || text.contains("[.]"),
            levels,
            whole,
        })
    }

    /// The name of the run that this path belongs to: the path without its segments.
    #[must_use]
    pub fn name(&self, path: &str) -> Option<String> {
        if self.segments.is_empty() {
            return self.whole.is_match(path).then(|| path.to_owned());
        }
        let groups = self.whole.captures(path)?;
        let cuts = self.segments.iter().filter_map(|name| groups.name(name));
        let mut cuts: Vec<_> = cuts.map(|cut| cut.range()).collect();
        cuts.sort_by_key(|cut| std::cmp::Reverse(cut.start));
        let mut name = path.to_owned();
        for cut in cuts {
            name.replace_range(cut, "");
        }
        Some(name)
    }

    /// The named groups of a path and their texts, segments left out.
    #[must_use]
    pub fn groups<'a>(&'a self, path: &'a str) -> Vec<(&'a str, &'a str)> {
        let Some(found) = self.whole.captures(path) else {
            return vec![];
        };
        let names = self.whole.capture_names().flatten();
        let names = names.filter(|name| !name.starts_with(SEGMENT));
        names
            .filter_map(|name| Some((name, found.name(name)?.as_str())))
            .collect()
    }

    /// How many levels of directories lie between the watch directory and a run, the run's own
    /// included.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.levels.len()
    }

    /// Whether a directory of that name on that level, from 0, can hold runs.
    #[must_use]
    pub fn leads_on(&self, level: usize, name: &str) -> bool {
        let last = level + 1 >= self.levels.len();
        let level = self.levels.get(level).and_then(Option::as_ref);
        !last && level.is_none_or(|level| level.is_match(name))
    }

    /// Whether files can be runs too; it names an extension then.
    #[must_use]
    pub fn takes_files(&self) -> bool {
        self.files
    }

    /// Whether several files can be one run.
    #[must_use]
    pub fn has_segments(&self) -> bool {
        !self.segments.is_empty()
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.whole.as_str();
        f.write_str(text.trim_start_matches("^(?:").trim_end_matches(")$"))
    }
}

fn whole(pattern: &str) -> Result<Regex, String> {
    let reason = |error: regex::Error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default();
        last.trim_start_matches("error: ").to_owned()
    };
    // On its own first: `a)(b` would be valid between the brackets.
    Regex::new(pattern).map_err(reason)?;
    Regex::new(&format!("^(?:{pattern})$")).map_err(reason)
}

/// The pattern divided at each `/` outside of classes such as `[^/]`.
fn parts(pattern: &str) -> Vec<&str> {
    let (mut parts, mut from, mut class, mut escaped) = (vec![], 0, false, false);
    for (at, c) in pattern.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' => class = true,
            ']' => class = false,
            '/' if !class => {
                parts.push(&pattern[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&pattern[from..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_cut_out_of_the_name() {
        let pattern =
            Pattern::new(r"run(?<run>\d+)(?<segment>sub\d+)?\.mid(?<segment_end>\.(?:gz|lz4))?")
                .expect("valid");
        assert!(pattern.takes_files() && pattern.has_segments());
        for path in [
            "run00012sub0003.mid.lz4",
            "run00012.mid",
            "run00012sub1.mid",
        ] {
            assert_eq!(pattern.name(path).as_deref(), Some("run00012.mid"));
            assert_eq!(pattern.groups(path), [("run", "00012")]);
        }
        assert_eq!(pattern.name("run00012.mid.tmp"), None);
    }

    #[test]
    fn levels_are_told_where_the_pattern_can_be_divided() {
        let nested = Pattern::new(r"(?<date>\d{4}-\d\d-\d\d)/run[_/]?(?<run>\d+)").expect("valid");
        assert_eq!(nested.depth(), 2);
        assert!(nested.leads_on(0, "2026-11-21"));
        assert!(!nested.leads_on(0, "calibration"));
        assert!(!nested.leads_on(1, "run1"));
        assert!(!nested.takes_files());
        let grouped = Pattern::new(r"(?<where>\d+/\w+)/run\d+").expect("valid");
        assert_eq!(grouped.depth(), 3);
        assert!(grouped.leads_on(0, "anything") && grouped.leads_on(1, "anything"));
        assert_eq!(grouped.name("7/a/run1").as_deref(), Some("7/a/run1"));
        assert!(Pattern::new("a/b/c/d/e").is_err());
        assert!(Pattern::new("a)(b").is_err());
    }
}
