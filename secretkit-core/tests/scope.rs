//! The chain of scopes: total, ordered, without repeats.

#![allow(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "in a test a panic is the report")]

use proptest::prelude::*;
use secretkit_core::{Part, PartKind, Scope, SecretId, SecretName};

fn part() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_][A-Za-z0-9_-]{0,6}(\\.[A-Za-z0-9_-]{1,3}){0,2}"
}

fn scope() -> impl Strategy<Value = Scope> {
    (part(), prop::option::of(part()), prop::option::of(part()))
        .prop_map(|(org, project, domain)| Scope::from_parts(&org, project.as_deref(), domain.as_deref()).unwrap())
}

fn name() -> impl Strategy<Value = SecretName> {
    (prop::option::of(part()), part()).prop_map(|(group, key)| SecretName::from_parts(group.as_deref(), &key).unwrap())
}

proptest! {
    #[test]
    fn the_chain_is_total_ordered_and_without_repeats(scope in scope(), name in name()) {
        let chain: Vec<_> = SecretId::chain(&scope, &name).collect();
        let parts = usize::from(scope.project().is_some()) + usize::from(scope.domain().is_some());
        prop_assert_eq!(chain.len(), 1 << parts, "1, 2 or 4 places");
        prop_assert_eq!(chain.first().unwrap().scope(), &scope, "the task's own scope is the nearest");
        prop_assert_eq!(chain.last().unwrap().scope(), &Scope::new(scope.org().clone(), None, None), "the org ends it");

        // The order by its definition: project before domain before neither.
        let rank = |id: &SecretId| (id.scope().project().is_none(), id.scope().domain().is_none());
        prop_assert!(chain.windows(2).all(|pair| rank(&pair[0]) < rank(&pair[1])), "{chain:?}");

        for id in &chain {
            prop_assert_eq!(id.name(), &name);
            prop_assert_eq!(id.org(), scope.org());
            prop_assert!(id.scope().project().is_none_or(|project| Some(project) == scope.project()));
            prop_assert!(id.scope().domain().is_none_or(|domain| Some(domain) == scope.domain()));
        }
    }

    #[test]
    fn text_forms_return(scope in scope(), name in name()) {
        prop_assert_eq!(scope.to_string().parse::<Scope>().unwrap(), scope.clone());
        prop_assert_eq!(name.to_string().parse::<SecretName>().unwrap(), name.clone());
        prop_assert_eq!(format!("{scope:?} {name:?}"), format!("Scope({scope}) SecretName({name})"));
        let id = SecretId::new(scope, name);
        prop_assert_eq!(id.to_string().parse::<SecretId>().unwrap(), id.clone());
        prop_assert_eq!(format!("{id:?}"), format!("SecretId({id})"));
        prop_assert_eq!(serde_json::from_str::<SecretId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
    }

    #[test]
    fn different_addresses_have_different_text(left in (scope(), name()), right in (scope(), name())) {
        let (left, right) = (SecretId::new(left.0, left.1), SecretId::new(right.0, right.1));
        prop_assert_eq!(left == right, left.to_string() == right.to_string());
    }

    #[test]
    fn a_part_is_what_the_rule_says_and_nothing_else(text in "\\PC{0,6}|[a-zA-Z0-9_.-]{0,140}") {
        let by_rule = (1..=128).contains(&text.len())
            && text.bytes().enumerate().all(|(at, byte)| {
                byte.is_ascii_alphanumeric() || byte == b'_' || at > 0 && (byte == b'.' || byte == b'-')
            })
            && !text.contains("..");
        match Part::parse(PartKind::Key, &text) {
            Ok(part) => {
                prop_assert!(by_rule);
                prop_assert_eq!(part.as_str(), text);
            }
            Err(error) => {
                prop_assert!(!by_rule);
                prop_assert_eq!(error.kind().as_str(), "invalid_name");
            }
        }
    }
}

#[test]
fn absent_is_not_empty() {
    assert!(Scope::from_parts("o", Some(""), None).is_err());
    assert!(Scope::from_parts("o", None, Some("")).is_err());
    assert!(SecretName::from_parts(Some(""), "k").is_err());
    assert!("/k".parse::<SecretName>().is_err());
    assert!("g/".parse::<SecretName>().is_err());
    assert!("g/h/k".parse::<SecretName>().is_err());
}
