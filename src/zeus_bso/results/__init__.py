"""Results for notebooks and scripts: jobs, trials and savings as typed values. It only reads."""
