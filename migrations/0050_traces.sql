-- Which trace a job belongs to, so that whoever runs it goes on with it.

ALTER TABLE jobs ADD COLUMN traceparent text,
    ADD CONSTRAINT jobs_traceparent_form
        CHECK (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$') NOT VALID;
COMMENT ON COLUMN jobs.traceparent IS
    'W3C Trace Context of the span that accepted the job; null for jobs that came about outside of any.';
-- No row has one yet: nothing to look at, hence no long lock.
ALTER TABLE jobs VALIDATE CONSTRAINT jobs_traceparent_form;
