//! Files that a glob means.

use std::path::Path;

use globset::GlobBuilder;

use crate::notebook::expand_glob;
use crate::run::Parameters;

/// The first file, by name, that a glob means: relative to `base` unless the glob is absolute. Names
/// that begin with a dot are matched by a dot only, since copying programs leave such.
///
/// # Errors
/// What is missing to know the file's name.
pub(super) fn first(
    base: &Path,
    glob: &str,
    parameters: &Parameters,
) -> Result<Option<String>, String> {
    let filled =
        expand_glob(glob, parameters).map_err(|error| format!("{glob}: {}", error.what))?;
    let parts: Vec<&str> = filled.split('/').filter(|part| !part.is_empty()).collect();
    Ok(match filled.starts_with('/') {
        true => below(Path::new("/"), "/", &parts),
        false => below(base, "", &parts),
    })
}

fn below(base: &Path, done: &str, parts: &[&str]) -> Option<String> {
    let (part, rest) = parts.split_first()?;
    let on = |name: &str| {
        let path = format!("{done}{name}");
        match rest.is_empty() {
            true => Some(path),
            false => below(base, &format!("{path}/"), rest),
        }
    };
    if !part.contains(['*', '?', '[', '{', '\\']) {
        let folder = base.join(done);
        if folder.join(part).symlink_metadata().is_ok() {
            return on(part);
        }
        // Network file systems and overlays remember that a name wasn't there; a listing tells.
        let mut names = rest
            .is_empty()
            .then(|| std::fs::read_dir(folder).ok())
            .flatten()?
            .flatten();
        return names
            .any(|entry| entry.file_name() == *part)
            .then(|| on(part))
            .flatten();
    }
    let glob = GlobBuilder::new(part)
        .literal_separator(true)
        .build()
        .ok()?;
    let glob = glob.compile_matcher();
    let hidden = |name: &str| name.starts_with('.') && !part.starts_with('.');
    let entries = std::fs::read_dir(base.join(done)).ok()?.flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| glob.is_match(name) && !hidden(name))
        .collect();
    names.sort();
    names.iter().find_map(|name| on(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_and_placeholders_find_files_inside_and_elsewhere() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for file in [
            "run/DONE",
            "run/logs/end_7.txt",
            "eos/12/COPIED",
            "run/a[b].json",
        ] {
            let file = dir.path().join(file);
            std::fs::create_dir_all(file.parent().expect("a parent")).expect("a directory");
            std::fs::write(file, "").expect("a file");
        }
        let parameters = Parameters::from_iter([
            ("run".into(), "12".into()),
            ("odd".into(), "a[b]".into()),
            ("away".into(), "../12".into()),
        ]);
        let elsewhere = |text: &str| format!("{}/eos/{text}", dir.path().display());
        let table = [
            ("DONE".to_owned(), true),
            ("done".to_owned(), false),
            ("logs/end_*.txt".to_owned(), true),
            ("*/end_{6,7}.txt".to_owned(), true),
            ("{odd}.json".to_owned(), true),
            ("D?NE".to_owned(), true),
            (elsewhere("{run}/COPIED"), true),
            (elsewhere("{run:05}/COPIED"), false),
            (elsewhere("{away}/COPIED"), false),
        ];
        for (text, there) in table {
            let found = first(&dir.path().join("run"), &text, &parameters);
            assert_eq!(found.expect(&text).is_some(), there, "{text}");
        }
        let missing = first(dir.path(), "{energy}", &parameters);
        assert!(missing.expect_err("missing").contains("energy"));
    }

    #[test]
    fn the_first_name_that_a_glob_matches_is_read() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for folder in ["b", "a", ".c"] {
            std::fs::create_dir(dir.path().join(folder)).expect("a directory");
        }
        for file in [
            "b/x2.txt",
            "b/x1.txt",
            "b/.x0.txt",
            ".c/x.txt",
            "a/y.txt",
            "[1].txt",
        ] {
            std::fs::write(dir.path().join(file), "").expect("write");
        }
        let found = |base: &Path, glob: &str| first(base, glob, &Parameters::new()).expect(glob);
        let table = [
            ("b/x*.txt", Some("b/x1.txt")),
            ("*/x?.txt", Some("b/x1.txt")),
            ("*/x.txt", None),
            ("b/x2.txt", Some("b/x2.txt")),
            ("[[]1[]].txt", Some("[1].txt")),
            ("z*", None),
        ];
        for (glob, expected) in table {
            assert_eq!(found(dir.path(), glob).as_deref(), expected, "{glob}");
        }
        let absolute = format!("{}/b/x*.txt", dir.path().display());
        assert!(
            found(Path::new("/nowhere"), &absolute).is_some_and(|path| path.ends_with("/b/x1.txt"))
        );
    }
}
