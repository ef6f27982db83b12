//! One token for all, and how often the one who issues it is asked.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::config::checked::Scheme;
use crate::config::secret::Secret;
use crate::failure::Code;

const LONG: Duration = Duration::from_secs(3600);

/// Issues numbered tokens.
#[derive(Default)]
struct Issuer {
    asked: AtomicU32,
}

impl Issuer {
    fn count(&self) -> u32 {
        self.asked.load(Ordering::SeqCst)
    }

    async fn issue(&self, life: Duration) -> Result<Fetched, Failure> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
        Ok(fetched(&format!("t{number}"), life))
    }

    async fn fail(&self, code: Code) -> Result<Fetched, Failure> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Err(code.failure("no"))
    }
}

fn fetched(token: &str, life: Duration) -> Fetched {
    Fetched {
        token: Token::issued(Secret::new(token.into()), "a test".into(), Scheme::Bearer),
        life: Some(life),
        is_assumed: false,
    }
}

fn version(size: u64) -> Version {
    Some((SystemTime::UNIX_EPOCH, size))
}

#[tokio::test]
async fn many_who_wait_ask_once() {
    let (engine, issuer) = (Engine::new(LONG), Issuer::default());
    let waits = (0..20).map(|_| engine.token(None, async |_| issuer.issue(LONG).await));
    let tokens = futures_util::future::join_all(waits).await;
    assert!(tokens.iter().all(Result::is_ok));
    assert_eq!(issuer.count(), 1);
}

#[tokio::test]
async fn many_who_wait_in_vain_ask_once_too() {
    let (engine, issuer) = (Engine::new(Duration::ZERO), Issuer::default());
    let fail = async |_| {
        tokio::time::sleep(Duration::from_millis(20)).await;
        issuer.fail(Code::TokenEndpointDown).await
    };
    let tokens = futures_util::future::join_all((0..20).map(|_| engine.token(None, fail))).await;
    assert!(tokens.iter().all(Result::is_err));
    assert_eq!(issuer.count(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_a_tenth_or_a_minute_before_its_end() {
    for (life, used) in [(20, 18.0), (600, 540.0), (3600, 3540.0)] {
        let (engine, issuer) = (Engine::new(LONG), Issuer::default());
        let life = Duration::from_secs(life);
        engine
            .token(None, async |_| issuer.issue(life).await)
            .await
            .expect("a token");
        let left = engine.left().expect("an end").as_secs_f64();
        assert!((used - 1.0..=used).contains(&left), "{left}");
    }
    let (engine, issuer) = (Engine::new(LONG), Issuer::default());
    let short = Duration::from_millis(100);
    for _ in 0..2 {
        engine
            .token(None, async |_| issuer.issue(short).await)
            .await
            .expect("a token");
        tokio::time::sleep(short).await;
    }
    assert_eq!(issuer.count(), 2);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_by_all_who_had_it() {
    let (engine, issuer) = (Engine::new(LONG), Issuer::default());
    let issue = async |_| issuer.issue(LONG).await;
    let first = engine.token(None, issue).await.expect("a token");
    let renewals = (0..5).map(|_| engine.renewed(&first, None, issue));
    for renewed in futures_util::future::join_all(renewals).await {
        assert_ne!(renewed.expect("a token").expect("another one"), first);
    }
    assert_eq!(issuer.count(), 2);
}

#[tokio::test]
async fn a_replacement_that_is_refused_too_is_kept_for_a_while() {
    let (engine, issuer) = (Engine::new(Duration::from_millis(200)), Issuer::default());
    let issue = async |_| issuer.issue(LONG).await;
    let first = engine.token(None, issue).await.expect("a token");
    let second = engine
        .renewed(&first, None, issue)
        .await
        .expect("asked")
        .expect("another");
    for _ in 0..3 {
        assert_eq!(engine.renewed(&second, None, issue).await, Ok(None));
    }
    assert_eq!(issuer.count(), 2);
    tokio::time::sleep(Duration::from_millis(250)).await;
    let third = engine
        .renewed(&second, None, issue)
        .await
        .expect("asked")
        .expect("a third");
    assert_eq!((third == second, issuer.count()), (false, 3));
    tokio::time::sleep(Duration::from_millis(250)).await;
    assert_eq!(
        engine.renewed(&third, None, issue).await,
        Ok(None),
        "twice as long"
    );
    assert_eq!(engine.token(None, issue).await.expect("kept"), third);
}

#[tokio::test]
async fn one_that_was_accepted_is_worth_another_one() {
    let (engine, issuer) = (Engine::new(LONG), Issuer::default());
    let issue = async |_| issuer.issue(LONG).await;
    let mut token = engine.token(None, issue).await.expect("a token");
    for _ in 0..3 {
        engine.accepted(&token);
        token = engine
            .renewed(&token, None, issue)
            .await
            .expect("asked")
            .expect("another");
    }
    assert_eq!(issuer.count(), 4);
}

#[tokio::test]
async fn who_issues_is_told_what_was_refused() {
    let engine = Engine::new(LONG);
    let told = |expected: Option<&Token>| {
        let expected = expected.cloned();
        async move |refused: Option<Token>| {
            assert_eq!(refused, expected);
            Ok(fetched("same", LONG))
        }
    };
    let token = engine.token(None, told(None)).await.expect("a token");
    assert_eq!(
        engine.renewed(&token, None, told(Some(&token))).await,
        Ok(None)
    );
}

#[tokio::test]
async fn a_replaced_secret_counts_at_once() {
    let (engine, issuer) = (Engine::new(LONG), Issuer::default());
    let fail = async |_| issuer.fail(Code::ClientRefused).await;
    let issue = async |_| issuer.issue(LONG).await;
    for _ in 0..3 {
        engine.token(version(1), fail).await.expect_err("refused");
    }
    assert_eq!(
        issuer.count(),
        1,
        "who needs a person is not asked again and again"
    );
    engine
        .token(version(2), issue)
        .await
        .expect("with the new secret");
    engine.token(version(2), issue).await.expect("the same");
    assert_eq!(issuer.count(), 2);
    engine
        .token(version(3), issue)
        .await
        .expect("with a newer one");
    assert_eq!(issuer.count(), 3);
}

#[tokio::test]
async fn an_outage_is_asked_about_soon_and_not_before_it_wishes() {
    let (engine, issuer) = (Engine::new(Duration::from_secs(6)), Issuer::default());
    let fail = async |_| issuer.fail(Code::TokenEndpointDown).await;
    engine.token(None, fail).await.expect_err("down");
    engine.token(None, fail).await.expect_err("still paused");
    assert_eq!(issuer.count(), 1);
    tokio::time::sleep(Duration::from_millis(120)).await;
    let asks = async |_| Err(Code::TokenEndpointDown.failure("wait").after(Some(LONG)));
    engine.token(None, asks).await.expect_err("down");
    tokio::time::sleep(Duration::from_millis(300)).await;
    let failure = engine.token(None, fail).await.expect_err("as it wished");
    assert!(
        failure.retry_after > Some(Duration::from_secs(3500)),
        "{failure:?}"
    );
    assert_eq!(issuer.count(), 1);
}

#[tokio::test]
async fn a_token_is_old_from_half_its_life_on_or_if_nobody_told_it() {
    let life = Duration::from_millis(400);
    for is_assumed in [false, true] {
        let engine = Engine::new(LONG);
        let issue = async |_| {
            Ok(Fetched {
                is_assumed,
                ..fetched("t", life)
            })
        };
        let token = engine.token(None, issue).await.expect("a token");
        assert_eq!(engine.is_old(&token), is_assumed);
        tokio::time::sleep(Duration::from_millis(220)).await;
        assert!(engine.is_old(&token));
    }
}

#[tokio::test]
async fn a_person_who_says_so_is_believed_at_once() {
    let (engine, issuer) = (Engine::new(LONG), Issuer::default());
    let fail = async |_| issuer.fail(Code::ClientRefused).await;
    engine.token(None, fail).await.expect_err("refused");
    engine.token(None, fail).await.expect_err("not asked");
    engine.wake();
    engine
        .token(None, fail)
        .await
        .expect_err("asked and refused");
    assert_eq!(issuer.count(), 2);
}

/// Each try would leave a trace where somebody watches over logins.
#[tokio::test]
async fn what_a_person_has_to_change_elsewhere_is_asked_about_seldom() {
    for (code, asked) in [
        (Code::NeedOtp, 1),
        (Code::NeedWebauthn, 1),
        (Code::Consent, 1),
        (Code::Denied, 1),
        (Code::IdpError, 2),
        (Code::NoTicket, 2),
    ] {
        let (engine, issuer) = (Engine::new(Duration::from_millis(100)), Issuer::default());
        let fail = async |_| issuer.fail(code).await;
        engine.token(None, fail).await.expect_err("refused");
        tokio::time::sleep(Duration::from_millis(150)).await;
        engine.token(None, fail).await.expect_err("refused");
        assert_eq!(issuer.count(), asked, "{code:?}");
    }
}
