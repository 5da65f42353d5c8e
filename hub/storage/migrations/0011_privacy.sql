-- Who may see a person's presence, and when they were last there.
ALTER TABLE account_user
    ADD COLUMN presence_to text NOT NULL DEFAULT 'everyone'
        CHECK (presence_to IN ('everyone', 'friends', 'nobody')),
    ADD COLUMN last_seen_to text NOT NULL DEFAULT 'everyone'
        CHECK (last_seen_to IN ('everyone', 'friends', 'nobody')),
    ADD COLUMN privacy_version bigint NOT NULL DEFAULT 1;  -- not that of the profile, which everybody sees as its ETag
