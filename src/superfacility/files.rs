//! Files on the machine: what stands at a path, and how a notebook gets there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use serde_json::Value;

use super::answers::{Call, HELP};
use super::{Superfacility, names};
use crate::destination::terms::{Found, Wanted, embedded_job};
use crate::failure::{Code, Failure};
use crate::notebook::sha256;

/// Larger files are somebody else's without a look inside, bytes.
const LARGEST: f64 = (32_u32 << 20) as f64;

/// A directory of the credential's owner, ready to create in.
pub struct SuperfacilityPlace<'a> {
    pub(super) facility: &'a Superfacility,
    pub(super) user: String,
}

/// What stands at a path, for a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Nothing,
    /// The very bytes of the notebook.
    Same,
    /// The job's notebook, edited since.
    Edited,
    /// The beginning of the notebook.
    Torso,
    /// Anything else.
    Other,
}

impl SuperfacilityPlace<'_> {
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.facility.url(&self.user, path)
    }

    /// Where a notebook for trying out goes. It stays: nothing can be removed.
    pub(crate) fn test_path(&self) -> String {
        format!("{}/nbcourier-check.ipynb", self.facility.root)
    }

    pub(crate) async fn look(&self, path: &str, wanted: &Wanted<'_>) -> Result<Found, Failure> {
        self.fits(path, wanted)?;
        Ok(match self.standing(path, wanted).await? {
            Standing::Nothing => Found::Absent,
            Standing::Same | Standing::Edited => Found::Ours,
            Standing::Torso if wanted.recorded == Some(path) => Found::Absent,
            Standing::Torso | Standing::Other => Found::Taken,
        })
    }

    /// The API replaces what is there without a word, and says nothing of what it has stored.
    pub(crate) async fn place(&self, path: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        self.fits(path, wanted)?;
        match self.standing(path, wanted).await? {
            Standing::Nothing => {}
            Standing::Same | Standing::Torso if wanted.recorded == Some(path) => {}
            _ => return Err(Code::NameTaken.failure(format!("something stands at /{path} by now"))),
        }
        match self.upload(path, wanted.bytes).await {
            Err(failure) if is_doubtful(failure.code) => {
                return Err(self.missing_directory(path).await.unwrap_or(failure));
            }
            uploaded => uploaded?,
        }
        match self.standing(path, wanted).await? {
            Standing::Same => Ok(()),
            Standing::Nothing => {
                let what = format!("/{path} was uploaded and can't be seen yet");
                Err(Code::AnswerLost.failure(what))
            }
            _ => {
                let what = format!(
                    "something else stands at /{path} than was sent there: is a quota full?"
                );
                Err(Code::StorageFull.failure(what))
            }
        }
    }

    /// The bytes of a file; `None` where there is none.
    pub(crate) async fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path = path.trim_start_matches('/');
        names::check(path)?;
        match self.download(path).await {
            Err(failure) if failure.code == Code::DirectoryVanished => Ok(None),
            bytes => bytes.map(Some),
        }
    }

    /// What can be told without asking anybody.
    fn fits(&self, path: &str, wanted: &Wanted<'_>) -> Result<(), Failure> {
        names::check(path)?;
        let (bytes, most) = (wanted.bytes.len(), self.facility.table.max_bytes);
        if u32::try_from(bytes).is_ok_and(|bytes| bytes <= most) {
            return Ok(());
        }
        let what = format!("the notebook for /{path} has {bytes} bytes; `max_bytes` is {most}");
        Err(Code::NotebookTooLarge.failure(what))
    }

    async fn standing(&self, path: &str, wanted: &Wanted<'_>) -> Result<Standing, Failure> {
        let Some(entries) = self.facility.list(path).await? else {
            return Ok(Standing::Nothing);
        };
        // A directory lists itself and its parent at least; a link would lead elsewhere.
        let file = match entries.as_slice() {
            [one] => one["perms"]
                .as_str()
                .is_some_and(|perms| perms.starts_with('-')),
            _ => false,
        };
        let size = entries.first().and_then(|one| one["size"].as_f64());
        if !file || size.is_none_or(|size| size > LARGEST) {
            return Ok(Standing::Other);
        }
        match self.download(path).await {
            // Ours can be read.
            Err(failure) if failure.code == Code::NotWritable => Ok(Standing::Other),
            // What was seen a moment ago is not taken for absent: it would be replaced.
            Err(failure) if failure.code == Code::DirectoryVanished => {
                Err(Code::HubError.failure(failure.what).advise(HELP))
            }
            bytes => Ok(compare(&bytes?, wanted)),
        }
    }

    async fn download(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let machine = &self.facility.table.machine;
        let path = format!("utilities/download/{machine}//{path}?binary=true");
        let answer = self.facility.ask(Call::Download, &path);
        let answer = answer.await?;
        let text = answer["file"].as_str().unwrap_or_default();
        if answer["is_binary"] != Value::Bool(true) {
            return Ok(text.as_bytes().to_vec());
        }
        let packed: String = text.split_ascii_whitespace().collect();
        STANDARD.decode(packed).map_err(|_| {
            let what = format!("the answer of {path} can't be used: it is no base64");
            Code::HubUnreachable.failure(what)
        })
    }

    async fn upload(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let name = path.rsplit('/').next().unwrap_or_default();
        let path = format!("utilities/upload/{}//{path}", self.facility.table.machine);
        let body = Some(form(name, bytes));
        let uploaded = self
            .facility
            .exchange(Call::Upload, Method::PUT, &path, body);
        uploaded.await.map(drop)
    }

    /// The directory that a refused upload misses, if it misses one: of all notebooks, or of this
    /// one. An upload's own words for it are not published.
    async fn missing_directory(&self, path: &str) -> Option<Failure> {
        let facility = self.facility;
        if let Err(failure) = facility.ask_root().await {
            return Some(failure);
        }
        let (directory, _) = path.rsplit_once('/')?;
        match facility.list(directory).await {
            Ok(None) => Some(absent(
                Code::DirectoryMissing,
                directory,
                &facility.table.machine,
            )),
            Ok(Some(_)) => None,
            Err(failure) => Some(failure),
        }
    }
}

impl Superfacility {
    /// The entries of a directory, or the one of a file; `None` where there is nothing.
    pub(super) async fn list(&self, path: &str) -> Result<Option<Vec<Value>>, Failure> {
        // Two slashes, as the official client sends them: the second is the first of the path.
        let path = format!("utilities/ls/{}//{path}", self.table.machine);
        match self.ask(Call::List, &path).await {
            Ok(answer) => Ok(answer["entries"].as_array().cloned()),
            Err(failure) if failure.code == Code::DirectoryVanished => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Whether the directory of all notebooks is there. It is never made: the API has no call for it.
    pub(super) async fn ask_root(&self) -> Result<(), Failure> {
        let entries = self.list(&self.root).await?.unwrap_or_default();
        match entries.iter().any(|entry| entry["name"] == ".") {
            true => Ok(()),
            false => Err(absent(Code::NotWritable, &self.root, &self.table.machine)),
        }
    }
}

/// Whether a refused upload may mean that a directory is missing.
fn is_doubtful(code: Code) -> bool {
    matches!(code, Code::DirectoryVanished | Code::HubError)
}

pub(super) fn absent(code: Code, directory: &str, machine: &str) -> Failure {
    code.failure(format!("there is no directory /{directory} on {machine}")).advise(format!(
        "log in there and type: mkdir -p /{directory} (the API makes no directories); delivery goes on by itself"
    ))
}

fn compare(bytes: &[u8], wanted: &Wanted<'_>) -> Standing {
    match () {
        () if sha256(bytes) == wanted.sha256 => Standing::Same,
        () if embedded_job(bytes).as_deref() == Some(wanted.job) => Standing::Edited,
        () if wanted.bytes.starts_with(bytes) => Standing::Torso,
        () => Standing::Other,
    }
}

/// A form with the one part `file`: its type and its bytes, which can be sent again with another
/// token. `name` needs no quoting.
fn form(name: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    let border = format!("nbcourier-{:032x}", rand::random::<u128>());
    let head = format!(
        "--{border}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    );
    let foot = format!("\r\n--{border}--\r\n");
    let body = [head.as_bytes(), bytes, foot.as_bytes()].concat();
    (format!("multipart/form-data; boundary={border}"), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_its_bytes() {
        let bytes = br#"{"metadata": {"nbcourier": {"job": "j1"}}}"#;
        let hash = sha256(bytes);
        let wanted = Wanted {
            job: "j1",
            bytes,
            sha256: &hash,
            recorded: None,
            about: None,
        };
        for (found, standing) in [
            (bytes.as_slice(), Standing::Same),
            (
                br#"{"metadata": {"nbcourier": {"job": "j1"}}, "cells": []}"#,
                Standing::Edited,
            ),
            (&bytes[..20], Standing::Torso),
            (b"", Standing::Torso),
            (
                br#"{"metadata": {"nbcourier": {"job": "j2"}}}"#,
                Standing::Other,
            ),
            (b"a person's", Standing::Other),
        ] {
            assert_eq!(compare(found, &wanted), standing);
        }
    }
}
