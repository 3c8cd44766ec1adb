-- A trigger waits for a write.
-- expect: open not_a_store
CREATE TRIGGER evil AFTER UPDATE ON secrets BEGIN DELETE FROM events; END;
