-- The job forgets more than nonces: its runs are kept under its new name.
UPDATE job_run SET job = 'forget' WHERE job = 'nonces';
