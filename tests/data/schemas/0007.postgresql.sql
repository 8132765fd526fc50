BEGIN;

CREATE TABLE zeus_bso_schema_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT zeus_bso_schema_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE job (
    job_id VARCHAR(255) NOT NULL, 
    job_id_prefix VARCHAR(255) NOT NULL, 
    derived_id BOOLEAN NOT NULL, 
    batch_sizes TEXT NOT NULL, 
    default_batch_size INTEGER NOT NULL, 
    eta_knob DOUBLE PRECISION NOT NULL, 
    beta_knob DOUBLE PRECISION, 
    target_metric DOUBLE PRECISION NOT NULL, 
    higher_is_better_metric BOOLEAN NOT NULL, 
    max_epochs INTEGER NOT NULL, 
    num_pruning_rounds INTEGER NOT NULL, 
    window_size INTEGER NOT NULL, 
    mab_prior_mean DOUBLE PRECISION NOT NULL, 
    mab_prior_precision DOUBLE PRECISION NOT NULL, 
    mab_num_explorations INTEGER NOT NULL, 
    mab_seed BIGINT, 
    policy VARCHAR(32) NOT NULL, 
    max_power DOUBLE PRECISION NOT NULL, 
    number_of_gpus INTEGER NOT NULL, 
    gpu_model VARCHAR(255) NOT NULL, 
    stage VARCHAR(16) NOT NULL, 
    generation INTEGER NOT NULL, 
    wide BOOLEAN NOT NULL, 
    round INTEGER NOT NULL, 
    round_start INTEGER NOT NULL, 
    round_sizes TEXT NOT NULL, 
    min_cost DOUBLE PRECISION, 
    min_cost_since INTEGER NOT NULL, 
    cost_bound_in_row INTEGER NOT NULL, 
    rng_state TEXT, 
    last_trial_number INTEGER NOT NULL, 
    last_decision INTEGER NOT NULL, 
    longest_epoch_s DOUBLE PRECISION NOT NULL, 
    energy_source VARCHAR(16), 
    foreign_source_in_row INTEGER NOT NULL, 
    created_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    updated_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (job_id)
);

CREATE TABLE job_tombstone (
    job_id VARCHAR(255) NOT NULL, 
    last_trial_number INTEGER NOT NULL, 
    generation INTEGER NOT NULL, 
    deleted_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (job_id)
);

CREATE TABLE batch_size_state (
    job_id VARCHAR(255) NOT NULL, 
    batch_size INTEGER NOT NULL, 
    num_observations INTEGER NOT NULL, 
    reward_mean DOUBLE PRECISION NOT NULL, 
    reward_m2 DOUBLE PRECISION NOT NULL, 
    is_arm BOOLEAN NOT NULL, 
    converged INTEGER NOT NULL, 
    ever_converged BOOLEAN NOT NULL, 
    best_cost DOUBLE PRECISION, 
    missed_in_row INTEGER NOT NULL, 
    barren_in_row INTEGER NOT NULL, 
    oom_in_row INTEGER NOT NULL, 
    retired VARCHAR(16), 
    PRIMARY KEY (job_id, batch_size), 
    CONSTRAINT fk_batch_size_state_job FOREIGN KEY(job_id) REFERENCES job (job_id) ON DELETE CASCADE
);

CREATE TABLE trial (
    job_id VARCHAR(255) NOT NULL, 
    trial_number INTEGER NOT NULL, 
    batch_size INTEGER NOT NULL, 
    generation INTEGER NOT NULL, 
    type VARCHAR(16) NOT NULL, 
    round INTEGER, 
    uncapped BOOLEAN NOT NULL, 
    status VARCHAR(16) NOT NULL, 
    outcome VARCHAR(16), 
    reason VARCHAR(16), 
    message TEXT NOT NULL, 
    run_id VARCHAR(255), 
    instance VARCHAR(255), 
    heartbeat_s DOUBLE PRECISION, 
    reported BOOLEAN NOT NULL, 
    start_reported BOOLEAN NOT NULL, 
    started_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    last_report_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    lease_expires_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    ended_at TIMESTAMP WITH TIME ZONE, 
    current_epoch INTEGER NOT NULL, 
    time DOUBLE PRECISION NOT NULL, 
    energy DOUBLE PRECISION NOT NULL, 
    metric DOUBLE PRECISION, 
    non_finite_in_row INTEGER NOT NULL, 
    target_reached BOOLEAN NOT NULL, 
    energy_source VARCHAR(16), 
    wasted_time DOUBLE PRECISION NOT NULL, 
    wasted_energy DOUBLE PRECISION NOT NULL, 
    cost DOUBLE PRECISION, 
    reward DOUBLE PRECISION, 
    decision INTEGER, 
    PRIMARY KEY (job_id, trial_number), 
    CONSTRAINT fk_trial_job FOREIGN KEY(job_id) REFERENCES job (job_id) ON DELETE CASCADE
);

CREATE INDEX ix_trial_job_id_batch_size_generation_decision ON trial (job_id, batch_size, generation, decision);

CREATE INDEX ix_trial_job_id_generation_round_trial_number ON trial (job_id, generation, round, trial_number);

CREATE INDEX ix_trial_job_id_run_id_trial_number ON trial (job_id, run_id, trial_number);

CREATE INDEX ix_trial_job_id_status_trial_number ON trial (job_id, status, trial_number);

CREATE TABLE trial_report (
    job_id VARCHAR(255) NOT NULL, 
    trial_number INTEGER NOT NULL, 
    epoch INTEGER NOT NULL, 
    time DOUBLE PRECISION NOT NULL, 
    energy DOUBLE PRECISION NOT NULL, 
    metric DOUBLE PRECISION, 
    reported_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (job_id, trial_number, epoch), 
    CONSTRAINT fk_trial_report_trial FOREIGN KEY(job_id, trial_number) REFERENCES trial (job_id, trial_number) ON DELETE CASCADE
);

INSERT INTO zeus_bso_schema_version (version_num) VALUES ('0001') RETURNING zeus_bso_schema_version.version_num;

-- Running upgrade 0001 -> 0002

ALTER TABLE job ADD COLUMN policy_options TEXT;

ALTER TABLE job ADD COLUMN surrogate TEXT;

ALTER TABLE batch_size_state ADD COLUMN surrogate TEXT;

UPDATE zeus_bso_schema_version SET version_num='0002' WHERE zeus_bso_schema_version.version_num = '0001';

-- Running upgrade 0002 -> 0003

UPDATE batch_size_state SET retired=NULL WHERE batch_size_state.retired = 'unconverged' AND batch_size_state.job_id IN (SELECT job.job_id 
FROM job 
WHERE job.policy = 'surrogate') AND NOT (EXISTS (SELECT 1 AS anon_1 
FROM trial JOIN job ON job.job_id = trial.job_id 
WHERE trial.job_id = batch_size_state.job_id AND trial.batch_size = batch_size_state.batch_size AND trial.generation = job.generation AND trial.outcome IN ('target-missed', 'diverged')));

UPDATE zeus_bso_schema_version SET version_num='0003' WHERE zeus_bso_schema_version.version_num = '0002';

-- Running upgrade 0003 -> 0004

ALTER TABLE job DROP COLUMN min_cost_since;

UPDATE zeus_bso_schema_version SET version_num='0004' WHERE zeus_bso_schema_version.version_num = '0003';

-- Running upgrade 0004 -> 0005

ALTER TABLE job RENAME wide TO try_all_sizes;

ALTER TABLE batch_size_state RENAME barren_in_row TO no_result_in_row;

UPDATE zeus_bso_schema_version SET version_num='0005' WHERE zeus_bso_schema_version.version_num = '0004';

-- Running upgrade 0005 -> 0006

ALTER TABLE job ADD COLUMN power_settings TEXT;

ALTER TABLE trial ADD COLUMN power_limit DOUBLE PRECISION;

ALTER TABLE trial ADD COLUMN profiling_time DOUBLE PRECISION DEFAULT 0 NOT NULL;

ALTER TABLE trial ADD COLUMN profiling_energy DOUBLE PRECISION DEFAULT 0 NOT NULL;

CREATE TABLE power_profile (
    job_id VARCHAR(255) NOT NULL, 
    batch_size INTEGER NOT NULL, 
    unit VARCHAR(8) NOT NULL, 
    lowest DOUBLE PRECISION NOT NULL, 
    highest DOUBLE PRECISION NOT NULL, 
    revision INTEGER NOT NULL, 
    PRIMARY KEY (job_id, batch_size), 
    CONSTRAINT fk_power_profile_job FOREIGN KEY(job_id) REFERENCES job (job_id) ON DELETE CASCADE
);

CREATE TABLE power_point (
    job_id VARCHAR(255) NOT NULL, 
    batch_size INTEGER NOT NULL, 
    power_limit DOUBLE PRECISION NOT NULL, 
    power DOUBLE PRECISION NOT NULL, 
    rate DOUBLE PRECISION NOT NULL, 
    windows INTEGER NOT NULL, 
    PRIMARY KEY (job_id, batch_size, power_limit), 
    CONSTRAINT fk_power_point_power_profile FOREIGN KEY(job_id, batch_size) REFERENCES power_profile (job_id, batch_size) ON DELETE CASCADE
);

UPDATE zeus_bso_schema_version SET version_num='0006' WHERE zeus_bso_schema_version.version_num = '0005';

-- Running upgrade 0006 -> 0007

ALTER TABLE job ADD COLUMN inheritance TEXT;

CREATE INDEX ix_job_job_id_prefix ON job (job_id_prefix);

ALTER TABLE trial ADD COLUMN epoch_bound INTEGER;

CREATE TABLE observation (
    job_id VARCHAR(255) NOT NULL, 
    number INTEGER NOT NULL, 
    source VARCHAR(255) NOT NULL, 
    run_id VARCHAR(255) NOT NULL, 
    batch_size INTEGER NOT NULL, 
    outcome VARCHAR(16) NOT NULL, 
    lesson VARCHAR(16) NOT NULL, 
    generation INTEGER NOT NULL, 
    epochs INTEGER, 
    time DOUBLE PRECISION, 
    energy DOUBLE PRECISION, 
    estimated BOOLEAN NOT NULL, 
    cost DOUBLE PRECISION, 
    reward DOUBLE PRECISION, 
    decision INTEGER, 
    curve TEXT, 
    ended_at TIMESTAMP WITH TIME ZONE, 
    recorded_at TIMESTAMP WITH TIME ZONE NOT NULL, 
    PRIMARY KEY (job_id, number), 
    CONSTRAINT fk_observation_job FOREIGN KEY(job_id) REFERENCES job (job_id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX ix_observation_run ON observation (job_id, source, run_id);

UPDATE zeus_bso_schema_version SET version_num='0007' WHERE zeus_bso_schema_version.version_num = '0006';

COMMIT;

INSERT INTO job (job_id, job_id_prefix, derived_id, batch_sizes, default_batch_size, eta_knob, beta_knob, target_metric, higher_is_better_metric, max_epochs, num_pruning_rounds, window_size, mab_prior_mean, mab_prior_precision, mab_num_explorations, mab_seed, policy, max_power, number_of_gpus, gpu_model, stage, generation, try_all_sizes, round, round_start, round_sizes, min_cost, cost_bound_in_row, rng_state, last_trial_number, last_decision, longest_epoch_s, energy_source, foreign_source_in_row, created_at, updated_at, policy_options, surrogate, power_settings, inheritance) VALUES ('nightly/Ünï 🚀', 'unit', false, '[8,16,32,64]', 16, 0.5, 2.0, 0.9, true, 10, 1, 3, 0.0, 0.0, 2, 1, 'zeus', 300.0, 1, 'A100', 'MAB', 1, false, 1, 16, '[8,16,32,64]', 2418.1, 0, '{"bit_generator":"PCG64","state":{"state":93682867164669319382418702606144439157,"inc":194290289479364712180083596243593368443},"has_uint32":0,"uinteger":3335828575}', 14, 12, 10.0, NULL, 0, '2026-11-27 15:23:09.453718+00:00', '2026-11-27 15:23:10.586856+00:00', '{"curve_stop":true,"transfer":true}', NULL, NULL, NULL);
INSERT INTO job (job_id, job_id_prefix, derived_id, batch_sizes, default_batch_size, eta_knob, beta_knob, target_metric, higher_is_better_metric, max_epochs, num_pruning_rounds, window_size, mab_prior_mean, mab_prior_precision, mab_num_explorations, mab_seed, policy, max_power, number_of_gpus, gpu_model, stage, generation, try_all_sizes, round, round_start, round_sizes, min_cost, cost_bound_in_row, rng_state, last_trial_number, last_decision, longest_epoch_s, energy_source, foreign_source_in_row, created_at, updated_at, policy_options, surrogate, power_settings, inheritance) VALUES ('weekly', 'unit', false, '[8,16,32,64]', 16, 0.5, 2.0, 0.9, true, 10, 1, 0, 0.0, 0.0, 2, 1, 'surrogate', 300.0, 1, 'A100', 'MAB', 1, false, 1, 16, '[8,16,32,64]', 3627.15, 0, '{"bit_generator":"PCG64","state":{"state":207833532711051698738587646355624148094,"inc":194290289479364712180083596243593368443},"has_uint32":0,"uinteger":0}', 6, 7, 7.7, NULL, 0, '2026-11-27 15:23:10.611679+00:00', '2026-11-27 15:23:11.274188+00:00', '{"curve_stop":true,"transfer":true}', '{"noise_ss":0.17185189635303247,"noise_dof":4,"pace_ss":0.0005469264851710405,"pace_dof":3,"started":6,"incumbent":8,"incumbent_cost":3649.143493014458,"spent":21894.9,"pace_level":0.00015}', '{"power_limit":"optimize","power_goal":"cost","max_slowdown":1.05}', NULL);
INSERT INTO job_tombstone (job_id, last_trial_number, generation, deleted_at) VALUES ('deleted', 1, 1, '2026-11-27 15:23:11.347347+00:00');
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('nightly/Ünï 🚀', 8, 6, -2418.1, 0.0, true, 6, true, 2418.1, 0, 0, 1, NULL, NULL);
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('nightly/Ünï 🚀', 16, 2, -2426.1, 0.0, true, 2, true, 2426.1, 0, 0, 1, NULL, NULL);
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('nightly/Ünï 🚀', 32, 2, -2442.1, 0.0, true, 2, true, 2442.1, 0, 0, 1, NULL, NULL);
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('nightly/Ünï 🚀', 64, 2, -4836.2, 0.0, false, 0, false, NULL, 2, 0, 1, 'oom', NULL);
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('weekly', 8, 3, -3627.15, 0.0, true, 3, true, 3627.15, 0, 0, 0, NULL, '{"runs":3,"mean_log_epochs":1.0986122886681098,"cost_sum":7254.300000000001,"epoch_sum":6,"last_pace":1209.0500000000002,"curve":[[0.3333333333333333,2.0],[0.9,2.9999999999999996]],"warm_up_runs":3,"warm_up":-2.2737367544323206e-13,"seen":6}');
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('weekly', 16, 2, -4167.1, 557462.4049999999, true, 2, true, 3639.15, 0, 0, 0, NULL, '{"runs":2,"mean_log_epochs":1.2424533248940002,"cost_sum":7120.445795316672,"epoch_sum":6,"last_pace":1173.586448829168,"curve":[[0.3333333333333333,2.3],[0.9,3.3]],"warm_up_runs":1,"warm_up":-2.2737367544323206e-13,"seen":6}');
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('weekly', 32, 1, -3663.15, 0.0, true, 1, true, 3663.15, 0, 0, 0, NULL, '{"runs":2,"mean_log_epochs":1.354025100551105,"cost_sum":2442.1000000000004,"epoch_sum":2,"last_pace":1221.0500000000002,"curve":[[0.3333333333333333,2.0],[0.9,3.0]],"warm_up_runs":1,"warm_up":-2.2737367544323206e-13,"seen":2}');
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('weekly', 64, 1, -3711.15, 0.0, true, 1, true, 3711.15, 0, 0, 0, NULL, '{"runs":1,"mean_log_epochs":1.0986122886681098,"cost_sum":2474.1000000000004,"epoch_sum":2,"last_pace":1237.0500000000002,"curve":[[0.3333333333333333,2.0],[0.9,3.0]],"warm_up_runs":1,"warm_up":-2.2737367544323206e-13,"seen":5}');
INSERT INTO observation (job_id, number, source, run_id, batch_size, outcome, lesson, generation, epochs, time, energy, estimated, cost, reward, decision, curve, ended_at, recorded_at) VALUES ('weekly', 1, 'csv', 'Ünï 🚀', 16, 'converged', 'run', 1, 4, 30.3, 300.1, false, 4695.05, -4695.05, 7, '[[1,null],[3,0.3333333333333333],[4,0.95]]', NULL, '2026-11-27 15:23:11.242413+00:00');
INSERT INTO observation (job_id, number, source, run_id, batch_size, outcome, lesson, generation, epochs, time, energy, estimated, cost, reward, decision, curve, ended_at, recorded_at) VALUES ('weekly', 2, 'csv', 'old', 32, 'converged', 'epochs', 1, 5, NULL, NULL, false, NULL, NULL, NULL, NULL, '2026-01-02 03:04:05.678901+00:00', '2026-11-27 15:23:11.242413+00:00');
INSERT INTO power_profile (job_id, batch_size, unit, lowest, highest, revision) VALUES ('weekly', 8, 'step', 100.0, 300.0, 0);
INSERT INTO power_profile (job_id, batch_size, unit, lowest, highest, revision) VALUES ('weekly', 16, 'step', 100.0, 300.0, 0);
INSERT INTO power_profile (job_id, batch_size, unit, lowest, highest, revision) VALUES ('weekly', 32, 'step', 100.0, 300.0, 0);
INSERT INTO power_profile (job_id, batch_size, unit, lowest, highest, revision) VALUES ('weekly', 64, 'step', 100.0, 300.0, 0);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 1, 16, 1, 'Exploration', 1, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,430 J.', 'night-0', NULL, NULL, true, true, '2026-11-27 15:23:09.482223+00:00', '2026-11-27 15:23:09.617829+00:00', '2026-11-27 15:23:09.617829+00:00', '2026-11-27 21:23:09.617829+00:00', '2026-11-27 15:23:09.617829+00:00', 2, 15.4, 232.2, 0.95, 0, true, NULL, 0.0, 0.0, 2426.1, -2426.1, 1, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 2, 8, 1, 'Exploration', 1, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,420 J.', 'night-1', NULL, NULL, true, true, '2026-11-27 15:23:09.674587+00:00', '2026-11-27 15:23:09.730388+00:00', '2026-11-27 15:23:09.730388+00:00', '2026-11-27 21:23:09.730388+00:00', '2026-11-27 15:23:09.730388+00:00', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 2, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 3, 32, 1, 'Exploration', 1, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,440 J.', 'night-2', NULL, NULL, true, true, '2026-11-27 15:23:09.771176+00:00', '2026-11-27 15:23:09.823471+00:00', '2026-11-27 15:23:09.823471+00:00', '2026-11-27 21:23:09.823471+00:00', '2026-11-27 15:23:09.823471+00:00', 2, 15.4, 264.2, 0.95, 0, true, NULL, 0.0, 0.0, 2442.1, -2442.1, 3, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 4, 64, 1, 'Concurrent', 1, false, 'Succeeded', 'target-missed', NULL, 'The run ended at epoch 2 of at most 10 without reaching its target. The second such end of a batch size in a row retires it.', 'night-3', NULL, NULL, true, true, '2026-11-27 15:23:09.843024+00:00', '2026-11-27 15:23:09.885636+00:00', '2026-11-27 15:23:09.885636+00:00', '2026-11-27 21:23:09.885636+00:00', '2026-11-27 15:23:09.885636+00:00', 2, 15.4, 328.2, NULL, 1, false, NULL, 0.0, 0.0, 2474.1, -4836.2, 4, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 5, 64, 1, 'Exploration', 1, false, 'Succeeded', 'target-missed', NULL, 'The run ended at epoch 2 of at most 10 without reaching its target. The second such end of a batch size in a row retires it. The run before ended below max_epochs (10) too: set max_epochs to what the script trains at most, or let it train longer.', 'night-4', NULL, NULL, true, true, '2026-11-27 15:23:09.926383+00:00', '2026-11-27 15:23:09.988235+00:00', '2026-11-27 15:23:09.988235+00:00', '2026-11-27 21:23:09.988235+00:00', '2026-11-27 15:23:09.988235+00:00', 2, 15.4, 328.2, NULL, 1, false, NULL, 0.0, 0.0, 2474.1, -4836.2, 5, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 6, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,420 J.', 'night-5', NULL, NULL, true, true, '2026-11-27 15:23:10.023332+00:00', '2026-11-27 15:23:10.077116+00:00', '2026-11-27 15:23:10.077116+00:00', '2026-11-27 21:23:10.077116+00:00', '2026-11-27 15:23:10.077116+00:00', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 6, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 7, 16, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,430 J.', 'night-6', NULL, NULL, true, true, '2026-11-27 15:23:10.122475+00:00', '2026-11-27 15:23:10.175427+00:00', '2026-11-27 15:23:10.175427+00:00', '2026-11-27 21:23:10.175427+00:00', '2026-11-27 15:23:10.175427+00:00', 2, 15.4, 232.2, 0.95, 0, true, NULL, 0.0, 0.0, 2426.1, -2426.1, 7, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 8, 32, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,440 J.', 'night-7', NULL, NULL, true, true, '2026-11-27 15:23:10.202349+00:00', '2026-11-27 15:23:10.230326+00:00', '2026-11-27 15:23:10.230326+00:00', '2026-11-27 21:23:10.230326+00:00', '2026-11-27 15:23:10.230326+00:00', 2, 15.4, 264.2, 0.95, 0, true, NULL, 0.0, 0.0, 2442.1, -2442.1, 8, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 9, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,420 J.', 'night-8', NULL, NULL, true, true, '2026-11-27 15:23:10.250538+00:00', '2026-11-27 15:23:10.294372+00:00', '2026-11-27 15:23:10.294372+00:00', '2026-11-27 21:23:10.294372+00:00', '2026-11-27 15:23:10.294372+00:00', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 9, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 10, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,420 J.', 'night-9', NULL, NULL, true, true, '2026-11-27 15:23:10.311168+00:00', '2026-11-27 15:23:10.347164+00:00', '2026-11-27 15:23:10.347164+00:00', '2026-11-27 21:23:10.347164+00:00', '2026-11-27 15:23:10.347164+00:00', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 10, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 11, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,420 J.', 'night-10', NULL, NULL, true, true, '2026-11-27 15:23:10.375239+00:00', '2026-11-27 15:23:10.414867+00:00', '2026-11-27 15:23:10.414867+00:00', '2026-11-27 21:23:10.414867+00:00', '2026-11-27 15:23:10.414867+00:00', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 11, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 12, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,420 J.', 'night-11', NULL, NULL, true, true, '2026-11-27 15:23:10.440408+00:00', '2026-11-27 15:23:10.479587+00:00', '2026-11-27 15:23:10.479587+00:00', '2026-11-27 21:23:10.479587+00:00', '2026-11-27 15:23:10.479587+00:00', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 12, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 13, 8, 1, 'MAB', NULL, false, 'Failed', NULL, 'oom', 'The trial has ended without a result (oom).', 'out of memory', NULL, NULL, false, false, '2026-11-27 15:23:10.494277+00:00', '2026-11-27 15:23:10.494277+00:00', '2026-11-27 15:23:10.494277+00:00', '2026-11-27 21:23:10.494277+00:00', '2026-11-27 15:23:10.540639+00:00', 0, 0.0, 0.0, NULL, 0, false, NULL, 0.0, 0.0, NULL, NULL, NULL, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 14, 8, 1, 'MAB', NULL, false, 'Dispatched', NULL, NULL, 'Go on training.', 'still running', NULL, NULL, true, true, '2026-11-27 15:23:10.566308+00:00', '2026-11-27 15:23:10.583295+00:00', '2026-11-27 15:23:10.583295+00:00', '2026-11-27 21:23:10.583295+00:00', NULL, 1, 10.0, 100.0, NULL, 1, false, NULL, 0.0, 0.0, NULL, NULL, NULL, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('weekly', 1, 16, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 1.01 Wh.', 'week-0', NULL, NULL, true, true, '2026-11-27 15:23:10.633630+00:00', '2026-11-27 15:23:10.726399+00:00', '2026-11-27 15:23:10.726399+00:00', '2026-11-27 21:23:10.726399+00:00', '2026-11-27 15:23:10.726399+00:00', 3, 23.1, 348.29999999999995, 0.95, 0, true, NULL, 0.0, 0.0, 3639.15, -3639.15, 1, 250.0, 1.1, -2.2, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('weekly', 2, 32, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 1.02 Wh.', 'week-1', NULL, NULL, true, true, '2026-11-27 15:23:10.762261+00:00', '2026-11-27 15:23:10.830280+00:00', '2026-11-27 15:23:10.830280+00:00', '2026-11-27 21:23:10.830280+00:00', '2026-11-27 15:23:10.830280+00:00', 3, 23.1, 396.29999999999995, 0.95, 0, true, NULL, 0.0, 0.0, 3663.15, -3663.15, 2, 250.0, 1.1, -2.2, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('weekly', 3, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 1.01 Wh.', 'week-2', NULL, NULL, true, true, '2026-11-27 15:23:10.861814+00:00', '2026-11-27 15:23:10.920550+00:00', '2026-11-27 15:23:10.920550+00:00', '2026-11-27 21:23:10.920550+00:00', '2026-11-27 15:23:10.920550+00:00', 3, 23.1, 324.29999999999995, 0.95, 0, true, NULL, 0.0, 0.0, 3627.15, -3627.15, 3, 250.0, 1.1, -2.2, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('weekly', 4, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 1.01 Wh.', 'week-3', NULL, NULL, true, true, '2026-11-27 15:23:10.958330+00:00', '2026-11-27 15:23:11.014300+00:00', '2026-11-27 15:23:11.014300+00:00', '2026-11-27 21:23:11.014300+00:00', '2026-11-27 15:23:11.014300+00:00', 3, 23.1, 324.29999999999995, 0.95, 0, true, NULL, 0.0, 0.0, 3627.15, -3627.15, 4, 250.0, 1.1, -2.2, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('weekly', 5, 64, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 1.03 Wh.', 'week-4', NULL, NULL, true, true, '2026-11-27 15:23:11.054143+00:00', '2026-11-27 15:23:11.130132+00:00', '2026-11-27 15:23:11.130132+00:00', '2026-11-27 21:23:11.130132+00:00', '2026-11-27 15:23:11.130132+00:00', 3, 23.1, 492.29999999999995, 0.95, 0, true, NULL, 0.0, 0.0, 3711.15, -3711.15, 5, 250.0, 1.1, -2.2, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('weekly', 6, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 1.01 Wh.', 'week-5', NULL, NULL, true, true, '2026-11-27 15:23:11.156744+00:00', '2026-11-27 15:23:11.211412+00:00', '2026-11-27 15:23:11.211412+00:00', '2026-11-27 21:23:11.211412+00:00', '2026-11-27 15:23:11.211412+00:00', 3, 23.1, 324.29999999999995, 0.95, 0, true, NULL, 0.0, 0.0, 3627.15, -3627.15, 6, 250.0, 1.1, -2.2, NULL);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 8, 250.0, 241.3, 7.6, 2);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 8, 300.0, 290.1, 7.7, 1);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 16, 250.0, 241.3, 7.6, 2);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 16, 300.0, 290.1, 7.7, 1);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 32, 250.0, 241.3, 7.6, 2);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 32, 300.0, 290.1, 7.7, 1);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 64, 250.0, 241.3, 7.6, 2);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 64, 300.0, 290.1, 7.7, 1);
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 1, 1, 7.7, 116.1, 0.1, '2026-11-27 15:23:09.577397+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 1, 2, 15.4, 232.2, 0.95, '2026-11-27 15:23:09.617829+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 2, 1, 7.7, 108.1, 0.1, '2026-11-27 15:23:09.706678+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 2, 2, 15.4, 216.2, 0.95, '2026-11-27 15:23:09.730388+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 3, 1, 7.7, 132.1, 0.1, '2026-11-27 15:23:09.814542+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 3, 2, 15.4, 264.2, 0.95, '2026-11-27 15:23:09.823471+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 4, 1, 7.7, 164.1, 0.1, '2026-11-27 15:23:09.871471+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 4, 2, 15.4, 328.2, NULL, '2026-11-27 15:23:09.885636+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 5, 1, 7.7, 164.1, 0.1, '2026-11-27 15:23:09.974593+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 5, 2, 15.4, 328.2, NULL, '2026-11-27 15:23:09.988235+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 6, 1, 7.7, 108.1, 0.1, '2026-11-27 15:23:10.062360+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 6, 2, 15.4, 216.2, 0.95, '2026-11-27 15:23:10.077116+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 7, 1, 7.7, 116.1, 0.1, '2026-11-27 15:23:10.148277+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 7, 2, 15.4, 232.2, 0.95, '2026-11-27 15:23:10.175427+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 8, 1, 7.7, 132.1, 0.1, '2026-11-27 15:23:10.220634+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 8, 2, 15.4, 264.2, 0.95, '2026-11-27 15:23:10.230326+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 9, 1, 7.7, 108.1, 0.1, '2026-11-27 15:23:10.274336+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 9, 2, 15.4, 216.2, 0.95, '2026-11-27 15:23:10.294372+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 10, 1, 7.7, 108.1, 0.1, '2026-11-27 15:23:10.342413+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 10, 2, 15.4, 216.2, 0.95, '2026-11-27 15:23:10.347164+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 11, 1, 7.7, 108.1, 0.1, '2026-11-27 15:23:10.397570+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 11, 2, 15.4, 216.2, 0.95, '2026-11-27 15:23:10.414867+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 12, 1, 7.7, 108.1, 0.1, '2026-11-27 15:23:10.466609+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 12, 2, 15.4, 216.2, 0.95, '2026-11-27 15:23:10.479587+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 14, 1, 10.0, 100.0, NULL, '2026-11-27 15:23:10.583295+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 1, 1, 7.7, 116.1, NULL, '2026-11-27 15:23:10.674331+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 1, 2, 15.4, 232.2, 0.3333333333333333, '2026-11-27 15:23:10.699504+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 1, 3, 23.1, 348.29999999999995, 0.95, '2026-11-27 15:23:10.726399+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 2, 1, 7.7, 132.1, NULL, '2026-11-27 15:23:10.783557+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 2, 2, 15.4, 264.2, 0.3333333333333333, '2026-11-27 15:23:10.811475+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 2, 3, 23.1, 396.29999999999995, 0.95, '2026-11-27 15:23:10.830280+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 3, 1, 7.7, 108.1, NULL, '2026-11-27 15:23:10.878375+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 3, 2, 15.4, 216.2, 0.3333333333333333, '2026-11-27 15:23:10.896165+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 3, 3, 23.1, 324.29999999999995, 0.95, '2026-11-27 15:23:10.920550+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 4, 1, 7.7, 108.1, NULL, '2026-11-27 15:23:10.982318+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 4, 2, 15.4, 216.2, 0.3333333333333333, '2026-11-27 15:23:10.998300+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 4, 3, 23.1, 324.29999999999995, 0.95, '2026-11-27 15:23:11.014300+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 5, 1, 7.7, 164.1, NULL, '2026-11-27 15:23:11.069523+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 5, 2, 15.4, 328.2, 0.3333333333333333, '2026-11-27 15:23:11.110305+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 5, 3, 23.1, 492.29999999999995, 0.95, '2026-11-27 15:23:11.130132+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 6, 1, 7.7, 108.1, NULL, '2026-11-27 15:23:11.178302+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 6, 2, 15.4, 216.2, 0.3333333333333333, '2026-11-27 15:23:11.198394+00:00');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 6, 3, 23.1, 324.29999999999995, 0.95, '2026-11-27 15:23:11.211412+00:00');
