//! Records: only the bytes that were sealed open, and only where they were sealed for.

use secretkit_core::SealedValue;
use secretkit_core::seal::Mac;
use secretkit_core::store::Lane;

use crate::golden::GOLDEN;

pub(crate) fn record(data: &[u8]) {
    if let Ok(mac) = Mac::from_bytes(data) {
        assert_eq!(mac.to_bytes(), data);
    }
    if let [number] = data {
        assert_eq!(Lane::new(*number).map(Lane::number), (*number < Lane::COUNT).then_some(*number));
    }
    let Ok(sealed) = SealedValue::from_bytes(data) else { return };
    assert_eq!(sealed.as_bytes(), data);
    let (_, _, _) = (sealed.key_id(), sealed.commitment(), format!("{sealed:?}"));
    for (record, keys) in &GOLDEN.records {
        let head = &record.head;
        let opened = keys.open(&head.address, &head.id, head.revision, &sealed);
        let genuine = record.sealed.as_bytes() == data;
        assert_eq!(opened.is_ok(), genuine, "at {}", head.address);
        if opened.is_ok() {
            assert!(keys.open(&head.address, &head.id, head.revision.next(), &sealed).is_err());
        }
    }
}
