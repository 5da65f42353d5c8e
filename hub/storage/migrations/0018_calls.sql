-- Who may call a person.
ALTER TABLE account_user
    ADD COLUMN calls_to text NOT NULL DEFAULT 'everyone' CHECK (calls_to IN ('everyone', 'friends', 'nobody'));
