//! `[announce.NAME]`.

use super::auth::by_reference;
use super::checked::{Announcer, News, Receiver};
use super::item::{Item, nearest};
use super::table::Table;
use super::values::{command, one_or_more};

/// What is told without `on`.
const USUAL: [News; 2] = [News::Held, News::Recovered];

pub(super) fn announcer(table: Table<'_>) -> Option<Announcer> {
    let to = table.one_of(&["webhook", "command"]).and_then(|item| {
        let title = format!("`{}` of {}", item.key, table.title);
        match item.key {
            "command" => command(&item).map(Receiver::Command),
            _ => webhook(&item, title).map(Receiver::Webhook),
        }
    });
    let on = table.read("on", |item| one_or_more(item, news));
    let name = table.name.to_owned();
    table.finish();
    Some(Announcer {
        name,
        to: to?,
        on: on.unwrap_or(USUAL.to_vec()),
    })
}

fn webhook(item: &Item<'_>, title: String) -> Option<super::secret::SecretRef> {
    let hint =
        "put it into a file of its own: webhook = { file = \"/etc/nbcourier/credentials/NAME\" }";
    by_reference(item, title, "a webhook's URL", hint)
}

fn news(item: &Item<'_>) -> Option<News> {
    let text = item.text()?;
    let names = News::ALL.map(News::as_str);
    if let Some(news) = News::ALL.into_iter().find(|news| news.as_str() == text) {
        return Some(news);
    }
    let near = nearest(text, &names).map(|near| format!("did you mean \"{near}\"? "));
    let hint = format!("{}valid are {}", near.unwrap_or_default(), names.join(", "));
    item.no("nothing of this name is told", &hint)
}
