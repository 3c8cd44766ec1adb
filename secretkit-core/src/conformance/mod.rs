//! What every store obeys, as functions to run against your own.
//!
//! Each law is a public function named as the sentence that it checks. It takes a factory of fresh, empty stores and
//! panics where a store breaks it. Most laws use the bare [`SecretStore`]; those at the end of the list go through
//! [`Secrets`](crate::Secrets) as an application does.
//!
//! In the tests of your crate, with `secretkit-core` and its feature `conformance` as a development dependency:
//!
//! ```
//! use std::sync::Arc;
//! use secretkit_core::MemoryStore;
//!
//! // Everything at once; the panic at the end names every law that was broken.
//! secretkit_core::conformance::all(&|| Arc::new(MemoryStore::new()));
//!
//! // Or one test for each law, which run side by side and report one by one.
//! secretkit_core::conformance_tests!(&|| Arc::new(MemoryStore::new()));
//! ```
//!
//! A store that must be cleaned up after a test does that when it is dropped. What only the store's own tests can show
//! is not here: what survives a kill, what it makes of rows that somebody else wrote, how it does with many processes.
//! [`hostile_names`] helps with the second, and [`Needles`] with the search for values where none may be.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a law that is broken is reported by a panic"
)]

mod hostile;
mod needles;
mod sample;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::store::SecretStore;

pub use hostile::hostile_names;
pub use needles::Needles;

/// Makes a fresh store with nothing in it. Two calls make two stores.
pub type Factory<'a> = dyn Fn() -> Arc<dyn SecretStore> + 'a;

/// One law: panics where the stores of this factory break it.
pub type Law = fn(&Factory<'_>);

/// Checks every law, and panics at the end with the names of those that were broken. What was wrong is in the panics
/// before.
pub fn all(factory: &Factory<'_>) {
    let holds = |law: &Law| catch_unwind(AssertUnwindSafe(|| law(factory))).is_ok();
    let broken: Vec<_> = LAWS.iter().filter(|(_, law)| !holds(law)).map(|(name, _)| *name).collect();
    assert!(broken.is_empty(), "the store breaks {} of {} laws: {}", broken.len(), LAWS.len(), broken.join(", "));
}

/// The list of laws, in one place: from it come the modules, their exports, [`LAWS`] and `conformance_tests`.
macro_rules! laws {
    ($dollar:tt $($module:ident { $($law:ident)+ })+) => {
        $(
            mod $module;
            pub use $module::{$($law),+};
        )+

        /// Every law with its name, in the order in which [`all`] checks them.
        pub const LAWS: &[(&str, Law)] = &[$($((stringify!($law), $law as Law)),+),+];

        /// One `#[test]` for each law, against stores of the factory given, see
        /// [`conformance`](crate::conformance).
        #[macro_export]
        macro_rules! conformance_tests {
            ($dollar factory:expr) => {
                $($(
                    #[test]
                    fn $law() {
                        $crate::conformance::$law($dollar factory);
                    }
                )+)+
            };
        }
    };
}

laws! { $
    fetching {
        an_empty_store_answers_nothing
        a_store_keeps_its_id
        a_secret_returns_as_it_was_inserted
        absent_columns_are_kept_apart_from_every_present_one
        every_byte_value_and_length_returns
        the_nearest_scope_answers_first
        an_absent_project_is_not_an_empty_one
        a_group_is_no_part_of_the_key
        names_are_compared_byte_by_byte
        orgs_are_apart
        an_id_is_bound_to_its_org
        many_wants_are_answered_in_their_order
        an_answer_follows_what_is_committed
        a_superseded_value_is_fetched_on_demand
    }
    committing {
        an_empty_batch_is_applied
        create_refuses_an_existing_secret
        a_stale_generation_is_refused
        a_secret_is_expected_in_its_own_org
        the_first_expectation_that_fails_is_named
        a_refused_batch_changes_nothing
        a_change_that_does_not_fit_changes_nothing
        expectations_are_judged_before_any_change
        changes_take_effect_in_their_order
        a_batch_of_a_thousand_secrets_is_one
        a_replaced_secret_has_every_new_column
        superseded_revisions_are_kept_and_pruned
        a_change_of_metadata_keeps_every_revision
        delete_removes_all_revisions
        a_recreated_secret_starts_anew
    }
    keyrings {
        a_keyring_returns_as_it_was_written
        the_keyring_is_compared_and_swapped
        a_keyring_is_more_than_its_version
        an_org_without_secrets_is_told_from_one_with_any
        keyrings_of_orgs_are_apart
        every_keyring_is_listed_by_org
        items_are_counted_under_their_keys
        a_key_with_items_is_not_unused
        a_superseded_value_is_written_anew_in_its_place
    }
    listing {
        a_listing_shows_the_head_and_the_commitment
        pages_are_ordered_by_name_then_scope
        a_page_holds_no_more_than_its_limit
        a_listing_resumes_after_any_address
        a_listing_of_one_scope_shows_that_scope_only
        a_listing_stays_within_its_org
        a_listing_follows_what_is_committed
    }
    filtering {
        a_listing_of_a_project_shows_all_its_domains
        a_listing_along_a_scope_shows_what_a_task_there_sees
        a_filter_leaves_out_what_does_not_match
        a_page_is_full_of_what_matches
    }
    history {
        a_history_shows_every_kept_revision_oldest_first
        a_history_is_found_by_every_target
        a_history_of_nothing_is_nothing
        a_secret_comes_with_its_history
    }
    using {
        a_consumer_returns_as_it_was_registered
        a_consumer_seen_again_takes_its_own_place
        an_unregistered_consumer_is_gone
        a_secret_with_consumers_stays
        when_a_consumer_was_seen_is_expected
        consumers_are_bound_to_their_org
        a_last_use_returns_and_only_moves_on
        a_use_of_what_is_not_there_is_passed_over
        uses_and_consumers_touch_no_head
        a_deleted_secret_takes_its_last_use_along
        a_use_under_another_keyring_is_passed_over
    }
    recording {
        an_event_returns_as_it_was_added
        an_event_and_its_change_are_one
        events_of_several_lanes_follow_each_its_own
        the_end_of_a_lane_is_expected
        the_first_that_does_not_hold_is_told
        a_token_takes_effect_once
        a_deleted_secret_leaves_its_events
        ids_are_walked_in_their_order
    }
    meeting {
        creators_at_once_have_one_winner
        writers_at_once_have_one_winner_each
        writers_of_different_secrets_all_succeed
        many_wants_see_one_snapshot
        a_consumer_that_is_seen_meanwhile_is_not_removed
        a_consumer_and_a_deletion_that_meet_have_one_winner
    }
    random {
        any_sequence_of_changes_ends_as_in_the_model
    }
    facade {
        a_value_put_is_the_value_got
        each_mode_demands_what_it_says
        a_stored_value_holds_no_plaintext
        every_revision_that_is_kept_opens
        a_task_gets_the_nearest_value
        many_requests_are_resolved_at_once
        many_infos_are_given_at_once
        a_listing_shows_what_was_put
        a_deleted_secret_is_not_found
        one_process_sees_what_another_wrote
        another_root_key_opens_nothing
        first_writers_of_an_org_agree_on_its_keys
        overwriters_at_once_all_take_effect
    }
    keeping {
        metadata_is_edited_without_a_new_revision
        an_edit_that_changes_nothing_writes_nothing
        an_edit_demands_its_generation
        a_value_and_its_metadata_are_one_commit
        a_history_shows_every_value_with_its_digest
        a_rollback_sets_the_old_value_again
        fewer_revisions_are_kept_when_asked
        values_are_put_together_or_not_at_all
        an_effective_listing_shows_what_hides_what
        a_secret_in_use_is_not_deleted
        consumers_unseen_are_pruned
        a_consumer_that_registers_itself_is_recorded_once
        a_consumer_registers_itself_among_thousands
        a_read_is_remembered_as_a_use
    }
    rotating {
        a_rewrap_needs_the_old_root_key_no_more
        every_org_may_have_a_root_key_of_its_own
        a_rewrap_is_one_commit_by_its_token
        a_key_goes_through_its_whole_life
        a_rotation_changes_nothing_that_a_caller_sees
        a_forged_last_use_holds_up_nothing
        a_digest_changes_with_its_key_alone
        a_reencryption_goes_on_where_it_was_left
        a_key_in_use_is_not_retired
        readers_and_writers_go_on_during_a_rotation
        an_org_whose_keys_are_destroyed_opens_never_again
    }
    roots {
        an_orgs_own_root_key_is_not_overridden
        an_org_is_given_a_root_key_of_its_own
    }
    meanwhile {
        a_reencryption_changes_no_consumer
        a_consumer_is_removed_once
    }
    verifying {
        every_write_has_its_event
        a_store_that_is_whole_verifies
        a_row_that_vanished_is_found
        a_row_that_came_back_is_found
        a_row_that_was_put_back_is_found
        a_row_that_was_put_back_and_changed_is_found
        a_verification_goes_on_among_writers
    }
    copying {
        a_copy_has_all_that_the_source_has
        a_copy_that_was_stopped_goes_on
        a_copy_follows_its_source
        a_copy_changes_nothing_that_others_made
        a_copy_tells_what_was_deleted_since_another
        a_copy_of_consumers_is_recorded
        a_consumer_that_was_removed_stays_away
        a_copy_meets_a_source_that_moves
        a_copy_tells_what_is_damaged
        a_copy_goes_on_where_its_target_is_damaged
        a_store_is_not_copied_into_itself
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;
    use crate::id::StableId;
    use crate::memory::MemoryStore;
    use crate::part::Part;
    use crate::record::ListedSecret;
    use std::collections::BTreeMap;

    use crate::seal::{KeyId, KeyringRow, KeyringStamp};
    use crate::store::{
        Batch, Commit, ConsumerRecord, EventRecord, Fetched, History, Lane, LaneHead, Query, StoreInfo, Target, Token,
        UsageRecord, Want,
    };

    conformance_tests!(&|| Arc::new(MemoryStore::new()));

    #[test]
    fn there_are_many_laws_and_each_stands_once() {
        let names: std::collections::BTreeSet<_> = LAWS.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), LAWS.len());
        assert!(names.len() >= 30, "{}", names.len());
    }

    /// A store that ignores how much it is asked to list.
    #[derive(Debug, Default)]
    struct Talkative(MemoryStore);

    impl std::fmt::Display for Talkative {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            self.0.fmt(f)
        }
    }

    impl SecretStore for Talkative {
        fn info(&self) -> Result<StoreInfo> {
            self.0.info()
        }

        fn keyring(&self, org: &Part) -> Result<Option<KeyringRow>> {
            self.0.keyring(org)
        }

        fn keyrings(&self) -> Result<Vec<KeyringRow>> {
            self.0.keyrings()
        }

        fn sees_all_orgs(&self) -> Result<bool> {
            self.0.sees_all_orgs()
        }

        fn key_uses(&self, org: &Part) -> Result<BTreeMap<KeyId, u64>> {
            self.0.key_uses(org)
        }

        fn fetch(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
            self.0.fetch(wants)
        }

        fn fetch_latest(&self, wants: &[Want]) -> Result<Vec<Option<Fetched>>> {
            self.0.fetch_latest(wants)
        }

        fn list(&self, query: &Query) -> Result<Vec<ListedSecret>> {
            self.0.list(&Query { limit: usize::MAX, ..query.clone() })
        }

        fn history(&self, target: &Target) -> Result<Option<History>> {
            self.0.history(target)
        }

        fn consumers(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Vec<ConsumerRecord>>> {
            self.0.consumers(org, secrets)
        }

        fn uses(&self, org: &Part, secrets: &[StableId]) -> Result<Vec<Option<UsageRecord>>> {
            self.0.uses(org, secrets)
        }

        fn touch(&self, org: &Part, keyring: KeyringStamp, uses: &[UsageRecord]) -> Result<()> {
            self.0.touch(org, keyring, uses)
        }

        fn lanes(&self, org: &Part) -> Result<Vec<(Lane, LaneHead)>> {
            self.0.lanes(org)
        }

        fn events(&self, org: &Part, lane: Lane, after: u64, limit: usize) -> Result<Vec<EventRecord>> {
            self.0.events(org, lane, after, limit)
        }

        fn ids(&self, org: &Part, after: Option<StableId>, limit: usize) -> Result<Vec<StableId>> {
            self.0.ids(org, after, limit)
        }

        fn outcome(&self, org: &Part, token: &Token) -> Result<bool> {
            self.0.outcome(org, token)
        }

        fn commit(&self, batch: &Batch) -> Result<Commit> {
            self.0.commit(batch)
        }
    }

    #[test]
    fn the_kit_names_the_laws_that_are_broken() {
        let report = catch_unwind(AssertUnwindSafe(|| all(&|| Arc::new(Talkative::default())))).unwrap_err();
        let report = report.downcast_ref::<String>().unwrap();
        let broken = "a_page_holds_no_more_than_its_limit, a_listing_resumes_after_any_address, \
                      a_listing_of_one_scope_shows_that_scope_only, a_listing_shows_what_was_put";
        assert!(report.ends_with(broken), "{report}");
    }
}
