//! `nbcourier generate`: what packages hold besides the program.

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Context, Stop, exit};

#[derive(Debug, clap::Subcommand)]
pub(super) enum What {
    /// Write the manual pages into a directory
    Man {
        /// It must be there
        directory: PathBuf,
    },
    /// Print the completions of a shell
    Completion {
        /// Which
        shell: Shell,
    },
}

pub(super) fn run(context: &Context, what: &What) -> Result<u8, Stop> {
    match what {
        What::Man { directory } => man(directory)?,
        What::Completion { shell } => {
            let text = completion(*shell);
            context.output.line(text.trim_end());
        }
    }
    Ok(exit::DONE)
}

fn man(directory: &Path) -> std::io::Result<()> {
    clap_mangen::generate_to(Cli::command(), directory)
}

fn completion(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "nbcourier", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs;

    type Files = BTreeMap<String, String>;

    fn files(directory: &Path) -> Files {
        let entries = fs::read_dir(directory).expect("a directory").flatten();
        let read = |entry: fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read_to_string(entry.path()).expect("a text"))
        };
        entries.map(read).collect()
    }

    /// Compares what stands in the tree with what is made now; `NBCOURIER_BLESS=1` writes it there.
    fn compare(directory: &str, made: &Files) {
        let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        if std::env::var_os("NBCOURIER_BLESS").is_some() {
            fs::remove_dir_all(&tree).expect("a directory");
            fs::create_dir(&tree).expect("a directory");
            for (name, text) in made {
                fs::write(tree.join(name), text).expect("written");
            }
        }
        assert!(
            &files(&tree) == made,
            "{directory} is not what the command line says now: NBCOURIER_BLESS=1 writes it anew"
        );
    }

    #[test]
    fn the_manual_pages_are_those_of_this_command_line() {
        let made = tempfile::tempdir().expect("a temporary directory");
        man(made.path()).expect("pages");
        let pages = files(made.path());
        assert!(pages.len() > 10 && pages.contains_key("nbcourier-init.1"));
        let hidden = pages.keys().any(|name| name.contains("generate"));
        assert!(!hidden, "{:?}", pages.keys());
        compare("systemd/packages/man", &pages);
    }

    #[test]
    fn the_completions_are_those_of_this_command_line() {
        let shells = [
            ("nbcourier.bash", Shell::Bash),
            ("_nbcourier", Shell::Zsh),
            ("nbcourier.fish", Shell::Fish),
        ];
        let made = shells.map(|(name, shell)| (name.to_owned(), completion(shell)));
        compare("systemd/packages/completions", &Files::from(made));
    }
}
