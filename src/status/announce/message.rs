//! What is told: `text` for people, as Mattermost and Slack show it, and the rest for programs.

use serde_json::{Value, json};

use super::due::Due;
use crate::config::checked;
use crate::failure::Code;
use crate::ledger::{Cause, JobRow, News, RunRow};
use crate::redact::cleaned;
use crate::status::{json as contract, time};

/// Longer texts are cut, characters; Mattermost takes 4000 at least.
const LONGEST: usize = 3000;

/// About causes for which jobs wait.
pub(super) fn causes(due: &Due) -> Value {
    let (event, causes, lead) = match due {
        Due::New(causes) => ("held", causes, "needs a person"),
        Due::Again(causes) => ("held", causes, "still needs a person"),
        Due::Over(causes) => ("recovered", causes, "no longer needs a person"),
    };
    let count: i64 = causes.iter().map(|cause| cause.jobs).sum();
    let is_over = event == "recovered";
    let (text, about) = match causes.as_slice() {
        [cause] => (of_one(cause, lead, is_over), Some(cause)),
        causes => (of_many(causes, lead, count), None),
    };
    let failures: Vec<Value> = causes.iter().map(failure).collect();
    json!({
        "text": shown(&text),
        "event": event,
        "id": id(event, causes),
        "count": count,
        "run": null,
        "job": null,
        "destination": about.and_then(|cause| cause.destination.as_ref()),
        "user": about.and_then(|cause| cause.user.as_ref()),
        "notebook": about.and_then(|cause| cause.notebook.as_ref()),
        "watch": about.and_then(|cause| cause.watch.as_ref()),
        "failure": about.map(failure),
        "failures": failures,
    })
}

/// The same for the same causes of the same time, however often they are told.
fn id(event: &str, causes: &[Cause]) -> String {
    let newest = causes.iter().map(|cause| cause.since).max();
    let code = causes.first().map_or("", |cause| cause.code.as_str());
    format!(
        "{event} {code} {} {}",
        causes.len(),
        newest.unwrap_or_default()
    )
}

fn of_one(cause: &Cause, lead: &str, is_over: bool) -> String {
    let whose = plain(&whose(cause));
    let (what, notebooks) = (plain(&cause.what), notebooks(cause.jobs));
    if is_over {
        return format!("{lead}: {whose}: {what} ({})", cause.code);
    }
    let since = time(cause.since);
    let advice = plain(&cause.advice);
    format!("{lead}: {whose}: {notebooks} since {since}: {what}\nwhat to do: {advice}")
}

fn of_many(causes: &[Cause], lead: &str, count: i64) -> String {
    let each = causes.iter().take(10).map(|cause| {
        let whose = plain(&whose(cause));
        format!("\n- {whose}: {} ({})", notebooks(cause.jobs), cause.code)
    });
    let each: String = each.collect();
    let more = causes.len().saturating_sub(10);
    let more = if more > 0 {
        format!("\n- and {more} more")
    } else {
        String::new()
    };
    let causes = causes.len();
    format!(
        "{lead}: {causes} causes, {}; `nbcourier status` shows them{each}{more}",
        notebooks(count)
    )
}

fn notebooks(count: i64) -> String {
    match count {
        1 => "1 notebook".into(),
        count => format!("{count} notebooks"),
    }
}

/// Whom a cause concerns.
fn whose(cause: &Cause) -> String {
    let table =
        |kind: &str, name: &Option<String>| name.as_ref().map(|name| format!("[{kind}.{name}]"));
    let parts = [
        table("watch", &cause.watch),
        table("notebook", &cause.notebook),
        table("destination", &cause.destination),
        cause
            .user
            .as_ref()
            .filter(|user| !user.is_empty())
            .map(|user| format!("user {user}")),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    parts.join(", ")
}

/// As `status --json` has it.
fn failure(cause: &Cause) -> Value {
    let class = Code::from_name(&cause.code).map_or("hold", |code| code.row().class.as_str());
    json!({
        "class": class,
        "code": cause.code,
        "what": cause.what,
        "advice": cause.advice,
        "at": time(cause.since),
    })
}

/// About one notebook.
pub(super) fn one(news: checked::News, event: &News, about: (&RunRow, &JobRow)) -> Value {
    let (run, job) = about;
    let name = plain(&run.name);
    let notebook = plain(&job.notebook);
    let text = match news {
        checked::News::Failed => {
            let why = plain(event.detail.as_deref().unwrap_or_default());
            let advice = job.failure.as_ref().map(|failure| plain(&failure.advice));
            let advice = advice.map(|advice| format!("\nwhat to do: {advice}"));
            let advice = advice.unwrap_or_default();
            format!(
                "{name}: {notebook} for {} was given up: {why}{advice}",
                job.destination
            )
        }
        _ => format!(
            "{name}: {notebook} is at {}: {}",
            job.destination,
            link(job)
        ),
    };
    of_job(news, (1, event), about, &text)
}

/// About many at once, of which this is the last one.
pub(super) fn many(
    news: checked::News,
    count: i64,
    last: &News,
    about: (&RunRow, &JobRow),
) -> Value {
    let word = match news {
        checked::News::Failed => "were given up",
        _ => "were delivered",
    };
    let run = plain(&about.0.name);
    let text =
        format!("{count} notebooks {word}, the last one of {run}; `nbcourier runs` lists them");
    of_job(news, (count, last), about, &text)
}

fn of_job(
    news: checked::News,
    (count, event): (i64, &News),
    (run, job): (&RunRow, &JobRow),
    text: &str,
) -> Value {
    let mut shown_run = contract::run(run, &[]);
    if let Some(run) = shown_run.as_object_mut() {
        run.remove("jobs");
    }
    let job = contract::job(job);
    json!({
        "text": shown(text),
        "event": news.as_str(),
        "id": format!("{} {}", news.as_str(), event.id),
        "count": count,
        "run": shown_run,
        "destination": job["destination"],
        "user": job["user"],
        "notebook": job["notebook"],
        "watch": run.watch,
        "failure": job["failure"],
        "failures": [],
        "job": job,
    })
}

fn link(job: &JobRow) -> String {
    let at = job
        .url
        .as_deref()
        .or(job.path.as_deref())
        .unwrap_or_default();
    at.chars()
        .filter(|c| !c.is_control() && !matches!(c, '<' | '>'))
        .collect()
}

/// The words of others in a text that a chat would format: they call nobody, and hide no link.
fn plain(words: &str) -> String {
    let harmless = |c: char| match c {
        '@' => '＠',
        '<' => '‹',
        '>' => '›',
        '`' => '\'',
        c if c.is_control() => ' ',
        c => c,
    };
    words
        .chars()
        .map(harmless)
        .collect::<String>()
        .replace("](", "] (")
}

fn shown(text: &str) -> String {
    cleaned(text).chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(user: &str, jobs: i64) -> Cause {
        Cause {
            code: "storage-full".into(),
            destination: Some("swan".into()),
            user: Some(user.into()),
            notebook: None,
            watch: None,
            what: "@all [quota](https://evil.example) <!here>\n`x`".into(),
            advice: "free some space".into(),
            since: 1_795_219_200_000,
            jobs,
        }
    }

    #[test]
    fn one_cause_says_whom_it_concerns_and_what_to_do() {
        let message = causes(&Due::New(vec![cause("alice", 200)]));
        let text = "needs a person: [destination.swan], user alice: 200 notebooks since \
            2026-11-21T00:00:00Z: ＠all [quota] (https://evil.example) ‹!here› 'x'\n\
            what to do: free some space";
        assert_eq!(message["text"], text);
        assert_eq!(
            (&message["count"], &message["user"]),
            (&json!(200), &json!("alice"))
        );
        assert_eq!(message["failure"]["what"], cause("alice", 1).what);
        let again = causes(&Due::Again(vec![cause("alice", 201)]));
        assert!(
            again["text"]
                .as_str()
                .is_some_and(|text| text.starts_with("still needs"))
        );
        let over = causes(&Due::Over(vec![cause("alice", 201)]));
        assert_eq!(over["event"], "recovered");
        assert!(
            over["text"]
                .as_str()
                .is_some_and(|text| text.ends_with("(storage-full)"))
        );
    }

    #[test]
    fn many_causes_are_one_message_of_a_few_lines() {
        let many: Vec<Cause> = (0..200).map(|user| cause(&user.to_string(), 3)).collect();
        let message = causes(&Due::New(many));
        let text = message["text"].as_str().expect("a text");
        let lead = "needs a person: 200 causes, 600 notebooks; `nbcourier status` shows them\n";
        assert!(
            text.starts_with(lead) && text.ends_with("\n- and 190 more"),
            "{text}"
        );
        assert_eq!(text.lines().count(), 12);
        assert_eq!(message["failures"].as_array().map(Vec::len), Some(200));
        assert!(message["failure"].is_null() && message["destination"].is_null());
    }
}
