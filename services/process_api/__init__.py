"""Takes files in: stores the upload, creates the job, queues its message, answers 202. Also serves the page."""
