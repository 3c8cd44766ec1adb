//! The server, the way there, and who we are to it.

use secretkit_core::store::StoreCheck;

use super::Facts;
use crate::layout::Layout;
use crate::product;
use crate::settings::{Host, Settings, TlsMode};

pub(super) fn server(facts: &Facts) -> StoreCheck {
    const CHECK: &str = "server";
    let product = &facts.product;
    let finding = format!("{}, texts are {}", product.name(), product.encoding());
    let has_functions = !facts.tables.is_empty() && Layout::of(&facts.tables) == Layout::Functions;
    let brought = || has_functions.then(|| product::unfit_by_name(product.name())).flatten();
    match product.unfit().or_else(brought) {
        Some(unfit) => StoreCheck::insecure(CHECK, format!("{finding}: it {}", unfit.finding), unfit.advice),
        None => StoreCheck::secure(CHECK, finding),
    }
}

/// The weakest way to any of the hosts: the next connection may go there.
pub(super) fn tls(facts: &Facts, settings: &Settings) -> StoreCheck {
    const CHECK: &str = "TLS";
    let (hosts, tls) = (&settings.hosts.all, &settings.tls);
    let Some(weakest) = hosts.iter().min_by_key(|host| (host.is_here(), tls.mode_for(host))) else {
        return StoreCheck::secure(CHECK, "no host");
    };
    let used = facts.tls.as_deref();
    if weakest.socket().is_some() {
        return StoreCheck::secure(CHECK, "not needed: the server is reached by a socket of this machine");
    }
    let named = told(weakest);
    let mode = tls.mode_for(weakest);
    let version = used.unwrap_or("TLS");
    let advice =
        "say sslmode=verify-full, and sslrootcert=FILE where the operating system does not trust its authority";
    match mode {
        TlsMode::VerifyFull => {
            StoreCheck::secure(CHECK, format!("{version}; {named} had to prove its name (verify-full)"))
        }
        _ if weakest.is_here() => {
            let words = used.map_or_else(|| "not in use".to_owned(), |version| format!("{version}, unproven"));
            StoreCheck::secure(CHECK, format!("{words}; nothing leaves this machine on the way to {named}"))
        }
        TlsMode::VerifyAuthority => StoreCheck::weak(
            CHECK,
            format!(
                "{version}; the name of {named} is not looked at (verify-ca): any server of that authority will do"
            ),
            advice,
        ),
        TlsMode::Require => StoreCheck::insecure(
            CHECK,
            format!("{version}, and whoever answers for {named} is believed (require): it may ask for the password"),
            advice,
        ),
        TlsMode::Prefer | TlsMode::Disable => {
            let words = used.map_or("not in use", |_| "in use only as long as the server offers it");
            StoreCheck::insecure(
                CHECK,
                format!("{words}; on the way to {named} others may read along, and take its place"),
                advice,
            )
        }
    }
}

fn told(host: &Host) -> String {
    match host.address {
        Some(address) if host.name.is_empty() => address.to_string(),
        _ => host.name.chars().filter(|sign| !sign.is_control()).collect(),
    }
}

pub(super) fn password(in_url: bool) -> StoreCheck {
    const CHECK: &str = "password";
    if in_url {
        return StoreCheck::weak(
            CHECK,
            "it stands in the URL, which the list of processes, shells and configurations show",
            "put it into a password file of mode 600 (~/.pgpass, PGPASSFILE) or into PGPASSWORD",
        );
    }
    StoreCheck::secure(CHECK, "not in the URL")
}

pub(super) fn login(facts: &Facts) -> StoreCheck {
    const CHECK: &str = "login";
    const ADVICE: &str =
        "let applications log in as a role that owns nothing, see docs/postgres.md; migrate as the owner";
    let mut powers: Vec<&str> = facts.powers.clone();
    if facts.superuser {
        return StoreCheck::insecure(
            CHECK,
            "a superuser: whoever has this password may do everything to every database of the server",
            ADVICE,
        );
    }
    if facts.owner {
        powers.insert(0, "change and drop the tables, which it owns");
    }
    if powers.is_empty() {
        return StoreCheck::secure(CHECK, "no superuser, and owns none of the tables");
    }
    StoreCheck::weak(CHECK, format!("it may do what no application needs: {}", powers.join(", ")), ADVICE)
}

pub(super) fn standby(facts: &Facts) -> StoreCheck {
    const CHECK: &str = "primary";
    if facts.standby {
        return StoreCheck::weak(
            CHECK,
            "a standby was reached: it takes no writes, and what it reads may be behind",
            "name the primary too, and leave target_session_attrs away or say read-write",
        );
    }
    StoreCheck::secure(CHECK, "reached")
}

pub(super) fn clock(facts: &Facts) -> StoreCheck {
    const CHECK: &str = "clock";
    let off = facts.ahead.saturating_abs().saturating_sub(facts.margin);
    if off <= MOST_OFF {
        return StoreCheck::secure(CHECK, "the server's agrees with this machine's");
    }
    let seconds = facts.ahead.saturating_abs() / 1_000_000;
    let way = if facts.ahead > 0 { "ahead of" } else { "behind" };
    StoreCheck::weak(
        CHECK,
        format!(
            "the server's is {seconds} s {way} this machine's: one of them is wrong, and when secrets expire is judged by this one"
        ),
        "keep the clocks of all machines by NTP",
    )
}

pub(super) fn connections(facts: &Facts, settings: &Settings) -> StoreCheck {
    const CHECK: &str = "connections";
    let pool = i64::try_from(settings.pool_size).unwrap_or(i64::MAX);
    let server = ("server", facts.most_connections.saturating_sub(facts.reserved));
    let (whose, most) = facts.limits.iter().copied().chain([server]).min_by_key(|(_, most)| *most).unwrap_or(server);
    let finding =
        format!("this process takes up to {pool} of the {most} that the {whose} has; {} in use", facts.in_use);
    if pool > most {
        let advice = format!("say pool_size={}, allow more, or put a pooler in between", most.max(1));
        return StoreCheck::weak(CHECK, finding, advice);
    }
    if most.saturating_sub(facts.in_use) < pool {
        return StoreCheck::weak(
            CHECK,
            format!("{finding}: there is no room for the whole pool"),
            "see docs/fleet.md on sizes: smaller pools, more connections, or a pooler in between",
        );
    }
    StoreCheck::secure(CHECK, finding)
}

pub(super) fn time_outs(facts: &Facts) -> StoreCheck {
    const CHECK: &str = "time-outs";
    if facts.statement_timeout == 0 {
        return StoreCheck::weak(
            CHECK,
            "the server knows of none: a pooler in between drops the options of our connections, or statement_timeout=0 \
             is said",
            "set them for the login: ALTER ROLE … SET statement_timeout = '15s', lock_timeout = '5s'; see docs/fleet.md",
        );
    }
    StoreCheck::secure(CHECK, format!("the server ends a statement after {} ms", facts.statement_timeout))
}

/// Whether a login that shares tables with others may wait in a transaction for as long as it likes. What it locks there
/// the others wait for.
pub(super) fn idle(facts: &Facts) -> Option<StoreCheck> {
    (facts.idle_timeout == 0 && !facts.owner && !facts.superuser).then(|| {
        StoreCheck::weak(
            "transactions",
            "the login may wait in one for ever, and hold up whoever needs what it has locked, of any org",
            "set it for the login: ALTER ROLE … SET idle_in_transaction_session_timeout = '1min'; see docs/postgres.md",
        )
    })
}

/// Of two clocks, in microseconds.
const MOST_OFF: i64 = 2_000_000;
