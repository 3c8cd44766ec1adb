-- All events of an org are gone.
-- expect: verify came back
DELETE FROM events WHERE org = 'other'; DELETE FROM lanes WHERE org = 'other';
