//! Accounts of this machine, as they are shown.

/// An account by its name and number; those that are not local are known by number only.
#[must_use]
pub fn shown(uid: u32) -> String {
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    match name(&accounts, uid) {
        Some(name) => format!("{name} (uid {uid})"),
        None => format!("uid {uid}"),
    }
}

/// The name of a group of this machine, or its number.
#[must_use]
pub fn group(gid: u32) -> String {
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    name(&groups, gid).map_or_else(|| gid.to_string(), str::to_owned)
}

/// The name that belongs to a number, from the text of passwd(5) or group(5).
fn name(entries: &str, number: u32) -> Option<&str> {
    entries.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, found) = (fields.next()?, fields.nth(1)?);
        (found.parse() == Ok(number)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_its_number_and_nothing_else() {
        let entries = "root:x:0:0:root:/root:/bin/sh\nbroken\nalice:x:1000:100::/:\n";
        assert_eq!(name(entries, 1000), Some("alice"));
        assert_eq!(name(entries, 100), None);
        assert_eq!(shown(u32::MAX - 7), format!("uid {}", u32::MAX - 7));
        assert_eq!(group(0), "root");
    }
}
