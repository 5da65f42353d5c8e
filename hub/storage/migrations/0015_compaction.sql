-- What compaction notes beside a document.

ALTER TABLE collab_snapshot
    ADD COLUMN pruned bigint NOT NULL DEFAULT 0,  -- the last generation that left streams out of the position
    ADD COLUMN structs integer NOT NULL DEFAULT 0, -- items and other parts that state consists of: what it costs in memory
    ADD COLUMN nesting integer NOT NULL DEFAULT 0; -- how deep shared types lie in one another in state
