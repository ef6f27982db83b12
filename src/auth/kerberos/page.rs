//! What a page of the identity provider wants, from its HTML and nothing else.
//!
//! The ids are those of Keycloak's own pages, which CERN's keep; `social-kerberos` is what every
//! tool of this kind looks for.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What a page wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// Nothing: it says why there is no login.
    Refusal(String),
    /// A one-time code.
    Otp,
    /// A security key.
    Webauthn,
    /// That a person agrees to something.
    Consent,
    /// A choice of ways to log in, of which Kerberos is one: where it leads.
    Kerberos(String),
    /// Something else; its title.
    Other(String),
}

/// The forms that only a person can fill in.
static FORMS: [(&str, Page); 8] = [
    ("kc-otp-login-form", Page::Otp),
    ("kc-totp-settings-form", Page::Otp),
    ("kc-recovery-code-login-form", Page::Otp),
    ("kc-form-webauthn", Page::Webauthn),
    ("webauth", Page::Webauthn),
    ("kc-select-credential-form", Page::Otp),
    ("kc-oauth", Page::Consent),
    ("kc-terms-text", Page::Consent),
];

/// The longest text of a page that is told on, characters.
const LONGEST: usize = 200;

/// A tag with its attributes; comments and scripts are matched to be left out.
static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r#"(?is)<!--.*?-->|<script\b.*?</script>|<([a-z][\w-]*)((?:[^>"']|"[^"]*"|'[^']*')*)>"#,
    )
    .ok()
});
static ATTRIBUTE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"([^\s=>"'/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"']+)))?"#).ok()
});
static ANY_TAG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?s)<[^>]*>").ok());

/// Understands a page.
pub(super) fn read(html: &str) -> Page {
    let tags: Vec<Tag<'_>> = tags(html);
    let of_id = |id: &str| tags.iter().find(|tag| tag.get("id").as_deref() == Some(id));
    if let Some(tag) = of_id("kc-error-message") {
        return Page::Refusal(tag.text(html));
    }
    if let Some((_, page)) = FORMS.iter().find(|(id, _)| of_id(id).is_some()) {
        return page.clone();
    }
    let asks_consent = |tag: &Tag<'_>| {
        let action = tag.get("action").unwrap_or_default();
        action
            .split('?')
            .next()
            .is_some_and(|path| path.ends_with("/login-actions/consent"))
    };
    if tags.iter().any(asks_consent) {
        return Page::Consent;
    }
    match of_id("social-kerberos").and_then(|tag| tag.get("href")) {
        Some(href) => Page::Kerberos(href),
        None => {
            let title = tags
                .iter()
                .find(|tag| tag.name.eq_ignore_ascii_case("title"));
            Page::Other(title.map(|tag| tag.text(html)).unwrap_or_default())
        }
    }
}

/// An opening tag.
struct Tag<'a> {
    name: &'a str,
    attributes: &'a str,
    /// Where in the page it ends.
    end: usize,
}

fn tags(html: &str) -> Vec<Tag<'_>> {
    let found = TAG.iter().flat_map(|tag| tag.captures_iter(html));
    let tag = |found: Captures<'_>| {
        // Of a comment or a script there is no name.
        let (name, attributes) = (found.get(1)?, found.get(2)?);
        Some(Tag {
            name: &html[name.range()],
            attributes: &html[attributes.range()],
            end: found.get(0)?.end(),
        })
    };
    found.filter_map(tag).collect()
}

impl Tag<'_> {
    /// The value of an attribute.
    fn get(&self, wanted: &str) -> Option<String> {
        let all = ATTRIBUTE
            .iter()
            .flat_map(|one| one.captures_iter(self.attributes));
        let mut named = all.filter(|found| found[1].eq_ignore_ascii_case(wanted));
        let found = named.next()?;
        let value = (2..5).find_map(|group| found.get(group))?;
        Some(decoded(value.as_str()).trim().to_owned())
    }

    /// The text in it, without what is between `<` and `>`: on one line and not too long.
    fn text(&self, html: &str) -> String {
        let rest = &html[self.end..];
        // Nothing of its own kind stands in it, where it is written as Keycloak does.
        let close = format!("</{}", self.name.to_ascii_lowercase());
        let end = rest.to_ascii_lowercase().find(&close).unwrap_or(rest.len());
        let bare = ANY_TAG.iter().map(|tag| tag.replace_all(&rest[..end], " "));
        let text = decoded(&bare.collect::<String>());
        let words: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || c.is_control())
            .collect();
        let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
        words.join(" ").chars().take(LONGEST).collect()
    }
}

/// Without the entities that such pages hold.
fn decoded(text: &str) -> String {
    const ENTITIES: [(&str, &str); 9] = [
        ("&quot;", "\""),
        ("&#34;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#x2F;", "/"),
        ("&nbsp;", " "),
        ("&lt;", "<"),
        ("&gt;", ">"),
        // The last: what it makes is text.
        ("&amp;", "&"),
    ];
    ENTITIES
        .iter()
        .fold(text.to_owned(), |text, (entity, meant)| {
            text.replace(entity, meant)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_kerberos_is_found_however_its_tag_is_written() {
        let way = Page::Kerberos("/auth/broker/kerberos/login?client_id=swan&tab_id=a".into());
        for tag in [
            r#"<a id="social-kerberos" href="/auth/broker/kerberos/login?client_id=swan&amp;tab_id=a">"#,
            r#"<a href="/auth/broker/kerberos/login?client_id=swan&amp;tab_id=a" class="x" id="social-kerberos">"#,
            "<A\n  HREF='/auth/broker/kerberos/login?client_id=swan&tab_id=a'\n  ID=social-kerberos >",
            r#"<a data-x="a > b" id="social-kerberos" href="/auth/broker/kerberos/login?client_id=swan&amp;tab_id=a"/>"#,
        ] {
            let page = format!("<html><title>CERN</title><ul>{tag}<span>Kerberos</span></a></ul>");
            assert_eq!(read(&page), way, "{tag}");
        }
    }

    #[test]
    fn what_only_looks_like_the_way_to_kerberos_is_none() {
        for tag in [
            r#"<!-- <a id="social-kerberos" href="/x"> -->"#,
            r#"<script>'<a id="social-kerberos" href="/x">'</script>"#,
            r#"<a id="social-kerberos">"#,
            r#"<a data-id="social-kerberos" href="/x">"#,
            r#"<a id="social-kerberos2" href="/x">"#,
            r#"<p>id="social-kerberos" href="/x"</p>"#,
        ] {
            let page = format!("<html><title> Sign\n in </title>{tag}");
            assert_eq!(read(&page), Page::Other("Sign in".into()), "{tag}");
        }
        assert_eq!(read(""), Page::Other(String::new()));
        assert_eq!(read("<a <a <a \"<"), Page::Other(String::new()));
    }

    #[test]
    fn what_needs_a_person_is_told_apart_and_goes_before_the_way_to_kerberos() {
        for (part, page) in [
            (r#"<form id="kc-otp-login-form" method="post">"#, Page::Otp),
            (r#"<div id="kc-form-webauthn">"#, Page::Webauthn),
            (r#"<form id="webauth" action="x">"#, Page::Webauthn),
            (r#"<div id="kc-oauth" class="content-area">"#, Page::Consent),
            (
                r#"<form action="https://a/realms/cern/login-actions/consent?client_id=x&amp;t=y">"#,
                Page::Consent,
            ),
            (
                r#"<div id="kc-error-message"><p class="instruction">Account is <b>disabled</b>,
                   contact&nbsp;the&#x2F;your administrator</p></div><form id="kc-otp-login-form">"#,
                Page::Refusal("Account is disabled , contact the/your administrator".into()),
            ),
        ] {
            let html = format!(r#"<a id="social-kerberos" href="/x">{part}"#);
            assert_eq!(read(&html), page, "{part}");
        }
    }

    #[test]
    fn a_text_of_a_page_is_short() {
        let html = format!("<p id=kc-error-message>{}</p>", "é ".repeat(5000));
        let Page::Refusal(text) = read(&html) else {
            panic!("a refusal")
        };
        assert_eq!(text.chars().count(), LONGEST);
    }
}
