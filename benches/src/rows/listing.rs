//! Listing and searching 100,000 secrets.

use std::path::Path;
use std::process::Command;

use rusqlite::Statement;
use secretkit::store::{Listed, Query, UsageRecord, Within, or_empty};
use secretkit::{Filter, Search, SecretId, SecretInfo, Secrets};
use secretkit_core::internals::Keys;

use crate::Result;
use crate::fill::{ORG, org};
use crate::measure::{far_apart, fastest, repeat, typical};
use crate::plan::Plan;
use crate::stores::{LISTED, OnDisk, read_rows};
use crate::table::{Table, Target};

const COUNT: u32 = 100_000;
const PAGE: usize = 500;

/// A hundred of the names hold it.
const NEEDLE: &str = "EY4-00420";

pub(super) fn run(plan: &Plan, table: &mut Table) -> Result<()> {
    page(plan, table)?;
    used_page(plan, table)?;
    search(plan, table)?;
    peak(plan, table)
}

fn page(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "list, one page of 500 of 100,000";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let place = OnDisk::kept(COUNT)?;
    let (secrets, root) = place.open()?;
    let keys = Keys::of(secrets.store(), &org()?, &*root)?;
    let pages = pages(&secrets)?;
    let bare = place.bare()?;
    let mut select = bare.prepare(&format!("SELECT {LISTED} FROM secrets WHERE {AFTER} LIMIT {PAGE}"))?;

    let mut next = far_apart(&pages);
    let mut baseline = repeat(|| {
        let (after, rows) = next()?;
        read_page(&mut select, after, rows.len())?;
        rows.iter().try_for_each(|row| Ok(keys.check(row)?))
    });
    let mut next = far_apart(&pages);
    let mut ours = repeat(|| list_page(&secrets, &next()?.0));
    table.times(OPERATION, "select + head checks", fastest(&mut baseline, &mut ours)?, Target::Times(1.5));
    Ok(())
}

fn used_page(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "list, the same where each has been used";
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let place = OnDisk::kept_and_used(COUNT)?;
    let (secrets, root) = place.open()?;
    let keys = Keys::of(secrets.store(), &org()?, &*root)?;
    let pages = used_pages(&secrets)?;
    let bare = place.bare()?;
    let mut select = bare.prepare(&format!(
        "SELECT {LISTED}, used_at, used_by, mac FROM secrets LEFT JOIN usage ON secret_id = id \
         WHERE {AFTER} LIMIT {PAGE}"
    ))?;

    let mut next = far_apart(&pages);
    let mut baseline = repeat(|| {
        let (after, rows) = next()?;
        read_page(&mut select, after, rows.len())?;
        rows.iter().try_for_each(|(row, info, used)| {
            keys.check(row)?;
            Ok(keys.check_use(info, used)?)
        })
    });
    let mut next = far_apart(&pages);
    let mut ours = repeat(|| list_page(&secrets, &next()?.0));
    table.times(OPERATION, "select of both + all checks", fastest(&mut baseline, &mut ours)?, Target::Times(1.5));
    Ok(())
}

fn search(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "list --search over 100,000";
    const ROUNDS: usize = 11;
    if !plan.wants(OPERATION) {
        return Ok(());
    }
    let place = OnDisk::kept_and_used(COUNT)?;
    let (secrets, root) = place.open()?;
    let keys = Keys::of(secrets.store(), &org()?, &*root)?;
    let listed = secrets.store().list(&Query::first(Within::Org(org()?), COUNT as usize))?;
    let bare = place.bare()?;
    // In the order of the table, which is the least a scan can cost. The plus keeps the planner from the index, after
    // which it would sort.
    let mut scan = bare.prepare(&format!("SELECT {LISTED} FROM secrets WHERE +org = ?1 ORDER BY rowid"))?;

    let mut baseline = repeat(|| {
        read_rows(&mut scan, [ORG], listed.len())?;
        listed.iter().try_for_each(|row| Ok(keys.check(row)?))
    });
    let search = Search::parse(NEEDLE)?;
    let mut ours = repeat(|| {
        let filter = Filter { search: Some(search.clone()), ..Filter::default() };
        let mut found = 0;
        for page in secrets.list(Within::Org(org()?), PAGE).filtered(filter) {
            found += page?.len();
        }
        if found == 100 { Ok(()) } else { Err(format!("a search found {found}").into()) }
    });
    table.times(OPERATION, "scan + head checks", typical(ROUNDS, &mut baseline, &mut ours)?, Target::Times(1.5));
    Ok(())
}

fn list_page(secrets: &Secrets, after: &SecretId) -> Result<usize> {
    let mut pages = secrets.list(Within::Org(org()?), PAGE).after(after.clone());
    Ok(pages.next().ok_or("the listing is at its end")??.len())
}

fn read_page(select: &mut Statement<'_>, after: &SecretId, count: usize) -> Result<()> {
    let (scope, name) = (after.scope(), after.name());
    let (group, project, domain) = (or_empty(name.group()), or_empty(scope.project()), or_empty(scope.domain()));
    read_rows(select, [scope.org().as_str(), group, name.key().as_str(), project, domain], count)
}

const AFTER: &str = "org = ?1 AND (grp, key, project, domain) > (?2, ?3, ?4, ?5) ORDER BY grp, key, project, domain";

/// Every full page but the first: what it begins behind, and its rows.
fn pages(secrets: &Secrets) -> Result<Vec<(SecretId, Vec<Listed>)>> {
    let listed = secrets.store().list(&Query::first(Within::Org(org()?), COUNT as usize))?;
    let before = listed.chunks(PAGE).filter_map(|rows| Some(rows.last()?.head.address.clone()));
    Ok(before.zip(listed.chunks(PAGE).skip(1).map(<[Listed]>::to_vec)).collect())
}

type Used = (Listed, SecretInfo, UsageRecord);

/// The same with the last uses.
fn used_pages(secrets: &Secrets) -> Result<Vec<(SecretId, Vec<Used>)>> {
    let with_uses = |(after, rows): (SecretId, Vec<Listed>)| {
        let ids: Vec<_> = rows.iter().map(|row| row.head.id).collect();
        let infos = secrets.list(Within::Org(org()?), PAGE).after(after.clone()).next().ok_or("no page")??;
        let uses: Option<Vec<_>> = secrets.store().uses(&org()?, &ids)?.into_iter().collect();
        let uses = uses.ok_or("a use was lost")?;
        let rows = rows.into_iter().zip(infos).zip(uses).map(|((row, info), used)| (row, info, used)).collect();
        Ok((after, rows))
    };
    pages(secrets)?.into_iter().map(with_uses).collect()
}

fn peak(plan: &Plan, table: &mut Table) -> Result<()> {
    const OPERATION: &str = "peak memory, listing 100,000 in pages";
    const MORE: &str = "peak memory, listing 1,000,000 in pages";
    if !plan.wants(OPERATION) && !plan.wants(MORE) {
        return Ok(());
    }
    if !cfg!(target_os = "linux") {
        table.note(format!("{OPERATION}: read from /proc, which is not here."));
        return Ok(());
    }
    let measured = |place: &OnDisk, pages: usize| -> Result<f64> {
        let mut probe = Command::new(std::env::current_exe()?);
        probe.arg(PEAK_PROBE).arg(&place.store).arg(&place.key).arg(pages.to_string());
        let output = probe.output()?;
        Ok(String::from_utf8(output.stdout)?.trim().parse()?)
    };
    let place = OnDisk::kept(COUNT)?;
    let whole = measured(&place, usize::MAX)?;
    if plan.wants(OPERATION) {
        // What the reader keeps of the file in its cache, 16 MB at the most, is all that may be added.
        let (one, at_most) = (measured(&place, 1)?, Target::MoreMegabytes(20.0));
        table.memory(OPERATION, "one page of 500", one, whole, at_most);
    }
    if plan.wants(MORE) {
        let more = measured(&OnDisk::kept(1_000_000)?, usize::MAX)?;
        table.memory(MORE, "listing 100,000", whole, more, Target::MoreMegabytes(2.0));
    }
    Ok(())
}

/// With this before the paths of a store and its key and a number of pages the program is the one whose memory is
/// measured.
pub(crate) const PEAK_PROBE: &str = "--peak-while-listing";

/// The most bytes that this process ever held, after so many pages.
pub(crate) fn peak_while_listing(store: &Path, key: &Path, pages: usize) -> Result<u64> {
    let place = OnDisk { store: store.into(), key: key.into() };
    let (secrets, _) = place.open()?;
    for page in secrets.list(Within::Org(org()?), PAGE).take(pages) {
        std::hint::black_box(page?);
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<u64>()? * 1024)
}
