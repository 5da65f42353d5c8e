-- Since when an account is suspended, and why: for the staff, not for the person.
ALTER TABLE account_user
    ADD COLUMN suspended_at timestamptz,
    ADD COLUMN suspension_reason text;
