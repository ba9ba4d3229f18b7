-- A context that was left on another machine is carried on here by one of its own.
-- min_compatible: 1

ALTER TABLE contexts ADD COLUMN parent_id TEXT; -- the context that this one carries on
ALTER TABLE contexts ADD COLUMN parent_version INTEGER; -- as which the hot copy had it then
CREATE INDEX contexts_parent ON contexts (parent_id) WHERE parent_id IS NOT NULL;
