//! `nbcourier render --help-notebook`.

use std::path::Path;

use serde_json::json;

use super::super::{Context, output};
use crate::notebook::{Declared, NotebookError, Template};

/// Shows what a template takes.
pub(super) fn show(
    context: &Context,
    path: &Path,
    template: &Template,
) -> Result<(), NotebookError> {
    let language = template.language()?;
    let declared = template.declared();
    if context.output.json {
        let answer = json!({
            "template": path.display().to_string(), "language": language,
            "parameters": declared.unwrap_or_default()
        });
        context.output.value(&answer);
        return Ok(());
    }
    let shown = path.display();
    match declared {
        None => context
            .output
            .note(format!("{shown}: no cell is tagged `parameters`")),
        Some([]) => context
            .output
            .note(format!("{shown}: its `parameters` cell assigns nothing")),
        Some(all) => {
            let rows = all.iter().map(row).collect();
            output::table(&["NAME", "TYPE", "DEFAULT", "HELP"], rows)
                .iter()
                .for_each(|line| context.output.line(line));
        }
    }
    Ok(())
}

fn row(one: &Declared) -> Vec<String> {
    let kind = serde_json::to_value(one.kind).unwrap_or_default();
    let kind = kind.as_str().filter(|kind| *kind != "other").unwrap_or("?");
    // What has several lines would break the table.
    let default = one.default.replace(char::is_control, " ");
    vec![
        one.name.clone(),
        one.annotation.clone().unwrap_or_else(|| kind.to_owned()),
        default,
        one.help.clone(),
    ]
}
