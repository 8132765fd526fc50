CREATE TABLE zeus_bso_schema_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT zeus_bso_schema_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE job (
    job_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
    job_id_prefix VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
    derived_id BOOL NOT NULL, 
    batch_sizes TEXT NOT NULL, 
    default_batch_size INTEGER NOT NULL, 
    eta_knob DOUBLE NOT NULL, 
    beta_knob DOUBLE, 
    target_metric DOUBLE NOT NULL, 
    higher_is_better_metric BOOL NOT NULL, 
    max_epochs INTEGER NOT NULL, 
    num_pruning_rounds INTEGER NOT NULL, 
    window_size INTEGER NOT NULL, 
    mab_prior_mean DOUBLE NOT NULL, 
    mab_prior_precision DOUBLE NOT NULL, 
    mab_num_explorations INTEGER NOT NULL, 
    mab_seed BIGINT, 
    policy VARCHAR(32) NOT NULL, 
    max_power DOUBLE NOT NULL, 
    number_of_gpus INTEGER NOT NULL, 
    gpu_model VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
    stage VARCHAR(16) NOT NULL, 
    generation INTEGER NOT NULL, 
    wide BOOL NOT NULL, 
    round INTEGER NOT NULL, 
    round_start INTEGER NOT NULL, 
    round_sizes TEXT NOT NULL, 
    min_cost DOUBLE, 
    min_cost_since INTEGER NOT NULL, 
    cost_bound_in_row INTEGER NOT NULL, 
    rng_state TEXT, 
    last_trial_number INTEGER NOT NULL, 
    last_decision INTEGER NOT NULL, 
    longest_epoch_s DOUBLE NOT NULL, 
    energy_source VARCHAR(16), 
    foreign_source_in_row INTEGER NOT NULL, 
    created_at DATETIME(6) NOT NULL, 
    updated_at DATETIME(6) NOT NULL, 
    PRIMARY KEY (job_id)
)ENGINE=InnoDB CHARSET=utf8mb4;

CREATE TABLE job_tombstone (
    job_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
    last_trial_number INTEGER NOT NULL, 
    generation INTEGER NOT NULL, 
    deleted_at DATETIME(6) NOT NULL, 
    PRIMARY KEY (job_id)
)ENGINE=InnoDB CHARSET=utf8mb4;

CREATE TABLE batch_size_state (
    job_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
    batch_size INTEGER NOT NULL, 
    num_observations INTEGER NOT NULL, 
    reward_mean DOUBLE NOT NULL, 
    reward_m2 DOUBLE NOT NULL, 
    is_arm BOOL NOT NULL, 
    converged INTEGER NOT NULL, 
    ever_converged BOOL NOT NULL, 
    best_cost DOUBLE, 
    missed_in_row INTEGER NOT NULL, 
    barren_in_row INTEGER NOT NULL, 
    oom_in_row INTEGER NOT NULL, 
    retired VARCHAR(16), 
    PRIMARY KEY (job_id, batch_size), 
    CONSTRAINT fk_batch_size_state_job FOREIGN KEY(job_id) REFERENCES job (job_id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4;

CREATE TABLE trial (
    job_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
    trial_number INTEGER NOT NULL, 
    batch_size INTEGER NOT NULL, 
    generation INTEGER NOT NULL, 
    type VARCHAR(16) NOT NULL, 
    round INTEGER, 
    uncapped BOOL NOT NULL, 
    status VARCHAR(16) NOT NULL, 
    outcome VARCHAR(16), 
    reason VARCHAR(16), 
    message TEXT NOT NULL, 
    run_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, 
    instance VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin, 
    heartbeat_s DOUBLE, 
    reported BOOL NOT NULL, 
    start_reported BOOL NOT NULL, 
    started_at DATETIME(6) NOT NULL, 
    last_report_at DATETIME(6) NOT NULL, 
    last_seen_at DATETIME(6) NOT NULL, 
    lease_expires_at DATETIME(6) NOT NULL, 
    ended_at DATETIME(6), 
    current_epoch INTEGER NOT NULL, 
    time DOUBLE NOT NULL, 
    energy DOUBLE NOT NULL, 
    metric DOUBLE, 
    non_finite_in_row INTEGER NOT NULL, 
    target_reached BOOL NOT NULL, 
    energy_source VARCHAR(16), 
    wasted_time DOUBLE NOT NULL, 
    wasted_energy DOUBLE NOT NULL, 
    cost DOUBLE, 
    reward DOUBLE, 
    decision INTEGER, 
    PRIMARY KEY (job_id, trial_number), 
    CONSTRAINT fk_trial_job FOREIGN KEY(job_id) REFERENCES job (job_id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4;

CREATE INDEX ix_trial_job_id_batch_size_generation_decision ON trial (job_id, batch_size, generation, decision);

CREATE INDEX ix_trial_job_id_generation_round_trial_number ON trial (job_id, generation, round, trial_number);

CREATE INDEX ix_trial_job_id_run_id_trial_number ON trial (job_id, run_id, trial_number);

CREATE INDEX ix_trial_job_id_status_trial_number ON trial (job_id, status, trial_number);

CREATE TABLE trial_report (
    job_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
    trial_number INTEGER NOT NULL, 
    epoch INTEGER NOT NULL, 
    time DOUBLE NOT NULL, 
    energy DOUBLE NOT NULL, 
    metric DOUBLE, 
    reported_at DATETIME(6) NOT NULL, 
    PRIMARY KEY (job_id, trial_number, epoch), 
    CONSTRAINT fk_trial_report_trial FOREIGN KEY(job_id, trial_number) REFERENCES trial (job_id, trial_number) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4;

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
FROM trial INNER JOIN job ON job.job_id = trial.job_id 
WHERE trial.job_id = batch_size_state.job_id AND trial.batch_size = batch_size_state.batch_size AND trial.generation = job.generation AND trial.outcome IN ('target-missed', 'diverged')));

UPDATE zeus_bso_schema_version SET version_num='0003' WHERE zeus_bso_schema_version.version_num = '0002';

-- Running upgrade 0003 -> 0004

ALTER TABLE job DROP COLUMN min_cost_since;

UPDATE zeus_bso_schema_version SET version_num='0004' WHERE zeus_bso_schema_version.version_num = '0003';

-- Running upgrade 0004 -> 0005

ALTER TABLE job CHANGE wide try_all_sizes BOOL NOT NULL;

ALTER TABLE batch_size_state CHANGE barren_in_row no_result_in_row INTEGER NOT NULL;

UPDATE zeus_bso_schema_version SET version_num='0005' WHERE zeus_bso_schema_version.version_num = '0004';

-- Running upgrade 0005 -> 0006

ALTER TABLE job ADD COLUMN power_settings TEXT;

ALTER TABLE trial ADD COLUMN power_limit DOUBLE;

ALTER TABLE trial ADD COLUMN profiling_time DOUBLE NOT NULL DEFAULT 0;

ALTER TABLE trial ADD COLUMN profiling_energy DOUBLE NOT NULL DEFAULT 0;

CREATE TABLE power_profile (
    job_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
    batch_size INTEGER NOT NULL, 
    unit VARCHAR(8) NOT NULL, 
    lowest DOUBLE NOT NULL, 
    highest DOUBLE NOT NULL, 
    revision INTEGER NOT NULL, 
    PRIMARY KEY (job_id, batch_size), 
    CONSTRAINT fk_power_profile_job FOREIGN KEY(job_id) REFERENCES job (job_id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4;

CREATE TABLE power_point (
    job_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
    batch_size INTEGER NOT NULL, 
    power_limit DOUBLE NOT NULL, 
    power DOUBLE NOT NULL, 
    rate DOUBLE NOT NULL, 
    windows INTEGER NOT NULL, 
    PRIMARY KEY (job_id, batch_size, power_limit), 
    CONSTRAINT fk_power_point_power_profile FOREIGN KEY(job_id, batch_size) REFERENCES power_profile (job_id, batch_size) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4;

UPDATE zeus_bso_schema_version SET version_num='0006' WHERE zeus_bso_schema_version.version_num = '0005';

-- Running upgrade 0006 -> 0007

ALTER TABLE job ADD COLUMN inheritance TEXT;

CREATE INDEX ix_job_job_id_prefix ON job (job_id_prefix);

ALTER TABLE trial ADD COLUMN epoch_bound INTEGER;

CREATE TABLE observation (
    job_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
    number INTEGER NOT NULL, 
    source VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
    run_id VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL, 
    batch_size INTEGER NOT NULL, 
    outcome VARCHAR(16) NOT NULL, 
    lesson VARCHAR(16) NOT NULL, 
    generation INTEGER NOT NULL, 
    epochs INTEGER, 
    time DOUBLE, 
    energy DOUBLE, 
    estimated BOOL NOT NULL, 
    cost DOUBLE, 
    reward DOUBLE, 
    decision INTEGER, 
    curve TEXT, 
    ended_at DATETIME(6), 
    recorded_at DATETIME(6) NOT NULL, 
    PRIMARY KEY (job_id, number), 
    CONSTRAINT fk_observation_job FOREIGN KEY(job_id) REFERENCES job (job_id) ON DELETE CASCADE
)ENGINE=InnoDB CHARSET=utf8mb4;

CREATE UNIQUE INDEX ix_observation_run ON observation (job_id, source, run_id);

UPDATE zeus_bso_schema_version SET version_num='0007' WHERE zeus_bso_schema_version.version_num = '0006';

INSERT INTO job (job_id, job_id_prefix, derived_id, batch_sizes, default_batch_size, eta_knob, beta_knob, target_metric, higher_is_better_metric, max_epochs, num_pruning_rounds, window_size, mab_prior_mean, mab_prior_precision, mab_num_explorations, mab_seed, policy, max_power, number_of_gpus, gpu_model, stage, generation, try_all_sizes, round, round_start, round_sizes, min_cost, cost_bound_in_row, rng_state, last_trial_number, last_decision, longest_epoch_s, energy_source, foreign_source_in_row, created_at, updated_at, policy_options, surrogate, power_settings, inheritance) VALUES ('nightly/Ünï 🚀', 'unit', false, '[8,16,32,64]', 16, 0.5, 2.0, 0.9, true, 10, 1, 3, 0.0, 0.0, 2, 1, 'zeus', 300.0, 1, 'A100', 'MAB', 1, false, 1, 16, '[8,16,32,64]', 2418.1, 0, '{"bit_generator":"PCG64","state":{"state":93682867164669319382418702606144439157,"inc":194290289479364712180083596243593368443},"has_uint32":0,"uinteger":3335828575}', 14, 12, 10.0, NULL, 0, '2026-11-27 15:23:00.946068', '2026-11-27 15:23:02.286417', '{"curve_stop":true,"transfer":true}', NULL, NULL, NULL);
INSERT INTO job (job_id, job_id_prefix, derived_id, batch_sizes, default_batch_size, eta_knob, beta_knob, target_metric, higher_is_better_metric, max_epochs, num_pruning_rounds, window_size, mab_prior_mean, mab_prior_precision, mab_num_explorations, mab_seed, policy, max_power, number_of_gpus, gpu_model, stage, generation, try_all_sizes, round, round_start, round_sizes, min_cost, cost_bound_in_row, rng_state, last_trial_number, last_decision, longest_epoch_s, energy_source, foreign_source_in_row, created_at, updated_at, policy_options, surrogate, power_settings, inheritance) VALUES ('weekly', 'unit', false, '[8,16,32,64]', 16, 0.5, 2.0, 0.9, true, 10, 1, 0, 0.0, 0.0, 2, 1, 'surrogate', 300.0, 1, 'A100', 'MAB', 1, false, 1, 16, '[8,16,32,64]', 3627.15, 0, '{"bit_generator":"PCG64","state":{"state":207833532711051698738587646355624148094,"inc":194290289479364712180083596243593368443},"has_uint32":0,"uinteger":0}', 6, 7, 7.7, NULL, 0, '2026-11-27 15:23:02.323045', '2026-11-27 15:23:02.930252', '{"curve_stop":true,"transfer":true}', '{"noise_ss":0.17185189635303247,"noise_dof":4,"pace_ss":0.0005469264851710405,"pace_dof":3,"started":6,"incumbent":8,"incumbent_cost":3649.143493014458,"spent":21894.9,"pace_level":0.00015}', '{"power_limit":"optimize","power_goal":"cost","max_slowdown":1.05}', NULL);
INSERT INTO job_tombstone (job_id, last_trial_number, generation, deleted_at) VALUES ('deleted', 1, 1, '2026-11-27 15:23:02.982816');
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('nightly/Ünï 🚀', 8, 6, -2418.1, 0.0, true, 6, true, 2418.1, 0, 0, 1, NULL, NULL);
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('nightly/Ünï 🚀', 16, 2, -2426.1, 0.0, true, 2, true, 2426.1, 0, 0, 1, NULL, NULL);
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('nightly/Ünï 🚀', 32, 2, -2442.1, 0.0, true, 2, true, 2442.1, 0, 0, 1, NULL, NULL);
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('nightly/Ünï 🚀', 64, 2, -4836.2, 0.0, false, 0, false, NULL, 2, 0, 1, 'oom', NULL);
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('weekly', 8, 3, -3627.15, 0.0, true, 3, true, 3627.15, 0, 0, 0, NULL, '{"runs":3,"mean_log_epochs":1.0986122886681098,"cost_sum":7254.300000000001,"epoch_sum":6,"last_pace":1209.0500000000002,"curve":[[0.3333333333333333,2.0],[0.9,2.9999999999999996]],"warm_up_runs":3,"warm_up":-2.2737367544323206e-13,"seen":6}');
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('weekly', 16, 2, -4167.1, 557462.4049999999, true, 2, true, 3639.15, 0, 0, 0, NULL, '{"runs":2,"mean_log_epochs":1.2424533248940002,"cost_sum":7120.445795316672,"epoch_sum":6,"last_pace":1173.586448829168,"curve":[[0.3333333333333333,2.3],[0.9,3.3]],"warm_up_runs":1,"warm_up":-2.2737367544323206e-13,"seen":6}');
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('weekly', 32, 1, -3663.15, 0.0, true, 1, true, 3663.15, 0, 0, 0, NULL, '{"runs":2,"mean_log_epochs":1.354025100551105,"cost_sum":2442.1000000000004,"epoch_sum":2,"last_pace":1221.0500000000002,"curve":[[0.3333333333333333,2.0],[0.9,3.0]],"warm_up_runs":1,"warm_up":-2.2737367544323206e-13,"seen":2}');
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, no_result_in_row, oom_in_row, retired, surrogate) VALUES ('weekly', 64, 1, -3711.15, 0.0, true, 1, true, 3711.15, 0, 0, 0, NULL, '{"runs":1,"mean_log_epochs":1.0986122886681098,"cost_sum":2474.1000000000004,"epoch_sum":2,"last_pace":1237.0500000000002,"curve":[[0.3333333333333333,2.0],[0.9,3.0]],"warm_up_runs":1,"warm_up":-2.2737367544323206e-13,"seen":5}');
INSERT INTO observation (job_id, number, source, run_id, batch_size, outcome, lesson, generation, epochs, time, energy, estimated, cost, reward, decision, curve, ended_at, recorded_at) VALUES ('weekly', 1, 'csv', 'Ünï 🚀', 16, 'converged', 'run', 1, 4, 30.3, 300.1, false, 4695.05, -4695.05, 7, '[[1,null],[3,0.3333333333333333],[4,0.95]]', NULL, '2026-11-27 15:23:02.901823');
INSERT INTO observation (job_id, number, source, run_id, batch_size, outcome, lesson, generation, epochs, time, energy, estimated, cost, reward, decision, curve, ended_at, recorded_at) VALUES ('weekly', 2, 'csv', 'old', 32, 'converged', 'epochs', 1, 5, NULL, NULL, false, NULL, NULL, NULL, NULL, '2026-01-02 03:04:05.678901', '2026-11-27 15:23:02.901823');
INSERT INTO power_profile (job_id, batch_size, unit, lowest, highest, revision) VALUES ('weekly', 8, 'step', 100.0, 300.0, 0);
INSERT INTO power_profile (job_id, batch_size, unit, lowest, highest, revision) VALUES ('weekly', 16, 'step', 100.0, 300.0, 0);
INSERT INTO power_profile (job_id, batch_size, unit, lowest, highest, revision) VALUES ('weekly', 32, 'step', 100.0, 300.0, 0);
INSERT INTO power_profile (job_id, batch_size, unit, lowest, highest, revision) VALUES ('weekly', 64, 'step', 100.0, 300.0, 0);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 1, 16, 1, 'Exploration', 1, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,430 J.', 'night-0', NULL, NULL, true, true, '2026-11-27 15:23:00.983487', '2026-11-27 15:23:01.153735', '2026-11-27 15:23:01.153735', '2026-11-27 21:23:01.153735', '2026-11-27 15:23:01.153735', 2, 15.4, 232.2, 0.95, 0, true, NULL, 0.0, 0.0, 2426.1, -2426.1, 1, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 2, 8, 1, 'Exploration', 1, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,420 J.', 'night-1', NULL, NULL, true, true, '2026-11-27 15:23:01.191606', '2026-11-27 15:23:01.250037', '2026-11-27 15:23:01.250037', '2026-11-27 21:23:01.250037', '2026-11-27 15:23:01.250037', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 2, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 3, 32, 1, 'Exploration', 1, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,440 J.', 'night-2', NULL, NULL, true, true, '2026-11-27 15:23:01.267190', '2026-11-27 15:23:01.307998', '2026-11-27 15:23:01.307998', '2026-11-27 21:23:01.307998', '2026-11-27 15:23:01.307998', 2, 15.4, 264.2, 0.95, 0, true, NULL, 0.0, 0.0, 2442.1, -2442.1, 3, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 4, 64, 1, 'Concurrent', 1, false, 'Succeeded', 'target-missed', NULL, 'The run ended at epoch 2 of at most 10 without reaching its target. The second such end of a batch size in a row retires it.', 'night-3', NULL, NULL, true, true, '2026-11-27 15:23:01.331722', '2026-11-27 15:23:01.387227', '2026-11-27 15:23:01.387227', '2026-11-27 21:23:01.387227', '2026-11-27 15:23:01.387227', 2, 15.4, 328.2, NULL, 1, false, NULL, 0.0, 0.0, 2474.1, -4836.2, 4, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 5, 64, 1, 'Exploration', 1, false, 'Succeeded', 'target-missed', NULL, 'The run ended at epoch 2 of at most 10 without reaching its target. The second such end of a batch size in a row retires it. The run before ended below max_epochs (10) too: set max_epochs to what the script trains at most, or let it train longer.', 'night-4', NULL, NULL, true, true, '2026-11-27 15:23:01.435499', '2026-11-27 15:23:01.496968', '2026-11-27 15:23:01.496968', '2026-11-27 21:23:01.496968', '2026-11-27 15:23:01.496968', 2, 15.4, 328.2, NULL, 1, false, NULL, 0.0, 0.0, 2474.1, -4836.2, 5, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 6, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,420 J.', 'night-5', NULL, NULL, true, true, '2026-11-27 15:23:01.535143', '2026-11-27 15:23:01.600241', '2026-11-27 15:23:01.600241', '2026-11-27 21:23:01.600241', '2026-11-27 15:23:01.600241', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 6, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 7, 16, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,430 J.', 'night-6', NULL, NULL, true, true, '2026-11-27 15:23:01.637919', '2026-11-27 15:23:01.719945', '2026-11-27 15:23:01.719945', '2026-11-27 21:23:01.719945', '2026-11-27 15:23:01.719945', 2, 15.4, 232.2, 0.95, 0, true, NULL, 0.0, 0.0, 2426.1, -2426.1, 7, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 8, 32, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,440 J.', 'night-7', NULL, NULL, true, true, '2026-11-27 15:23:01.751950', '2026-11-27 15:23:01.805116', '2026-11-27 15:23:01.805116', '2026-11-27 21:23:01.805116', '2026-11-27 15:23:01.805116', 2, 15.4, 264.2, 0.95, 0, true, NULL, 0.0, 0.0, 2442.1, -2442.1, 8, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 9, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,420 J.', 'night-8', NULL, NULL, true, true, '2026-11-27 15:23:01.842421', '2026-11-27 15:23:01.915074', '2026-11-27 15:23:01.915074', '2026-11-27 21:23:01.915074', '2026-11-27 15:23:01.915074', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 9, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 10, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,420 J.', 'night-9', NULL, NULL, true, true, '2026-11-27 15:23:01.947241', '2026-11-27 15:23:02.010220', '2026-11-27 15:23:02.010220', '2026-11-27 21:23:02.010220', '2026-11-27 15:23:02.010220', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 10, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 11, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,420 J.', 'night-10', NULL, NULL, true, true, '2026-11-27 15:23:02.033094', '2026-11-27 15:23:02.087283', '2026-11-27 15:23:02.087283', '2026-11-27 21:23:02.087283', '2026-11-27 15:23:02.087283', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 11, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 12, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2,420 J.', 'night-11', NULL, NULL, true, true, '2026-11-27 15:23:02.112252', '2026-11-27 15:23:02.164684', '2026-11-27 15:23:02.164684', '2026-11-27 21:23:02.164684', '2026-11-27 15:23:02.164684', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 12, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 13, 8, 1, 'MAB', NULL, false, 'Failed', NULL, 'oom', 'The trial has ended without a result (oom).', 'out of memory', NULL, NULL, false, false, '2026-11-27 15:23:02.191278', '2026-11-27 15:23:02.191278', '2026-11-27 15:23:02.191278', '2026-11-27 21:23:02.191278', '2026-11-27 15:23:02.232171', 0, 0.0, 0.0, NULL, 0, false, NULL, 0.0, 0.0, NULL, NULL, NULL, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('nightly/Ünï 🚀', 14, 8, 1, 'MAB', NULL, false, 'Dispatched', NULL, NULL, 'Go on training.', 'still running', NULL, NULL, true, true, '2026-11-27 15:23:02.254035', '2026-11-27 15:23:02.275261', '2026-11-27 15:23:02.275261', '2026-11-27 21:23:02.275261', NULL, 1, 10.0, 100.0, NULL, 1, false, NULL, 0.0, 0.0, NULL, NULL, NULL, NULL, 0.0, 0.0, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('weekly', 1, 16, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 1.01 Wh.', 'week-0', NULL, NULL, true, true, '2026-11-27 15:23:02.344937', '2026-11-27 15:23:02.465284', '2026-11-27 15:23:02.465284', '2026-11-27 21:23:02.465284', '2026-11-27 15:23:02.465284', 3, 23.1, 348.29999999999995, 0.95, 0, true, NULL, 0.0, 0.0, 3639.15, -3639.15, 1, 250.0, 1.1, -2.2, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('weekly', 2, 32, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 1.02 Wh.', 'week-1', NULL, NULL, true, true, '2026-11-27 15:23:02.521077', '2026-11-27 15:23:02.597003', '2026-11-27 15:23:02.597003', '2026-11-27 21:23:02.597003', '2026-11-27 15:23:02.597003', 3, 23.1, 396.29999999999995, 0.95, 0, true, NULL, 0.0, 0.0, 3663.15, -3663.15, 2, 250.0, 1.1, -2.2, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('weekly', 3, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 1.01 Wh.', 'week-2', NULL, NULL, true, true, '2026-11-27 15:23:02.609659', '2026-11-27 15:23:02.687304', '2026-11-27 15:23:02.687304', '2026-11-27 21:23:02.687304', '2026-11-27 15:23:02.687304', 3, 23.1, 324.29999999999995, 0.95, 0, true, NULL, 0.0, 0.0, 3627.15, -3627.15, 3, 250.0, 1.1, -2.2, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('weekly', 4, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 1.01 Wh.', 'week-3', NULL, NULL, true, true, '2026-11-27 15:23:02.707088', '2026-11-27 15:23:02.748487', '2026-11-27 15:23:02.748487', '2026-11-27 21:23:02.748487', '2026-11-27 15:23:02.748487', 3, 23.1, 324.29999999999995, 0.95, 0, true, NULL, 0.0, 0.0, 3627.15, -3627.15, 4, 250.0, 1.1, -2.2, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('weekly', 5, 64, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 1.03 Wh.', 'week-4', NULL, NULL, true, true, '2026-11-27 15:23:02.762977', '2026-11-27 15:23:02.807035', '2026-11-27 15:23:02.807035', '2026-11-27 21:23:02.807035', '2026-11-27 15:23:02.807035', 3, 23.1, 492.29999999999995, 0.95, 0, true, NULL, 0.0, 0.0, 3711.15, -3711.15, 5, 250.0, 1.1, -2.2, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision, power_limit, profiling_time, profiling_energy, epoch_bound) VALUES ('weekly', 6, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 1.01 Wh.', 'week-5', NULL, NULL, true, true, '2026-11-27 15:23:02.831217', '2026-11-27 15:23:02.882046', '2026-11-27 15:23:02.882046', '2026-11-27 21:23:02.882046', '2026-11-27 15:23:02.882046', 3, 23.1, 324.29999999999995, 0.95, 0, true, NULL, 0.0, 0.0, 3627.15, -3627.15, 6, 250.0, 1.1, -2.2, NULL);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 8, 250.0, 241.3, 7.6, 2);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 8, 300.0, 290.1, 7.7, 1);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 16, 250.0, 241.3, 7.6, 2);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 16, 300.0, 290.1, 7.7, 1);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 32, 250.0, 241.3, 7.6, 2);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 32, 300.0, 290.1, 7.7, 1);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 64, 250.0, 241.3, 7.6, 2);
INSERT INTO power_point (job_id, batch_size, power_limit, power, rate, windows) VALUES ('weekly', 64, 300.0, 290.1, 7.7, 1);
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 1, 1, 7.7, 116.1, 0.1, '2026-11-27 15:23:01.113100');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 1, 2, 15.4, 232.2, 0.95, '2026-11-27 15:23:01.153735');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 2, 1, 7.7, 108.1, 0.1, '2026-11-27 15:23:01.231460');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 2, 2, 15.4, 216.2, 0.95, '2026-11-27 15:23:01.250037');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 3, 1, 7.7, 132.1, 0.1, '2026-11-27 15:23:01.290035');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 3, 2, 15.4, 264.2, 0.95, '2026-11-27 15:23:01.307998');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 4, 1, 7.7, 164.1, 0.1, '2026-11-27 15:23:01.370029');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 4, 2, 15.4, 328.2, NULL, '2026-11-27 15:23:01.387227');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 5, 1, 7.7, 164.1, 0.1, '2026-11-27 15:23:01.477346');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 5, 2, 15.4, 328.2, NULL, '2026-11-27 15:23:01.496968');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 6, 1, 7.7, 108.1, 0.1, '2026-11-27 15:23:01.587058');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 6, 2, 15.4, 216.2, 0.95, '2026-11-27 15:23:01.600241');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 7, 1, 7.7, 116.1, 0.1, '2026-11-27 15:23:01.679404');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 7, 2, 15.4, 232.2, 0.95, '2026-11-27 15:23:01.719945');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 8, 1, 7.7, 132.1, 0.1, '2026-11-27 15:23:01.777866');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 8, 2, 15.4, 264.2, 0.95, '2026-11-27 15:23:01.805116');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 9, 1, 7.7, 108.1, 0.1, '2026-11-27 15:23:01.899286');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 9, 2, 15.4, 216.2, 0.95, '2026-11-27 15:23:01.915074');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 10, 1, 7.7, 108.1, 0.1, '2026-11-27 15:23:01.977540');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 10, 2, 15.4, 216.2, 0.95, '2026-11-27 15:23:02.010220');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 11, 1, 7.7, 108.1, 0.1, '2026-11-27 15:23:02.061529');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 11, 2, 15.4, 216.2, 0.95, '2026-11-27 15:23:02.087283');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 12, 1, 7.7, 108.1, 0.1, '2026-11-27 15:23:02.143726');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 12, 2, 15.4, 216.2, 0.95, '2026-11-27 15:23:02.164684');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 14, 1, 10.0, 100.0, NULL, '2026-11-27 15:23:02.275261');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 1, 1, 7.7, 116.1, NULL, '2026-11-27 15:23:02.388437');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 1, 2, 15.4, 232.2, 0.3333333333333333, '2026-11-27 15:23:02.423551');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 1, 3, 23.1, 348.29999999999995, 0.95, '2026-11-27 15:23:02.465284');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 2, 1, 7.7, 132.1, NULL, '2026-11-27 15:23:02.540104');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 2, 2, 15.4, 264.2, 0.3333333333333333, '2026-11-27 15:23:02.561320');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 2, 3, 23.1, 396.29999999999995, 0.95, '2026-11-27 15:23:02.597003');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 3, 1, 7.7, 108.1, NULL, '2026-11-27 15:23:02.636721');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 3, 2, 15.4, 216.2, 0.3333333333333333, '2026-11-27 15:23:02.666940');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 3, 3, 23.1, 324.29999999999995, 0.95, '2026-11-27 15:23:02.687304');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 4, 1, 7.7, 108.1, NULL, '2026-11-27 15:23:02.724938');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 4, 2, 15.4, 216.2, 0.3333333333333333, '2026-11-27 15:23:02.742051');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 4, 3, 23.1, 324.29999999999995, 0.95, '2026-11-27 15:23:02.748487');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 5, 1, 7.7, 164.1, NULL, '2026-11-27 15:23:02.775065');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 5, 2, 15.4, 328.2, 0.3333333333333333, '2026-11-27 15:23:02.787503');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 5, 3, 23.1, 492.29999999999995, 0.95, '2026-11-27 15:23:02.807035');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 6, 1, 7.7, 108.1, NULL, '2026-11-27 15:23:02.850820');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 6, 2, 15.4, 216.2, 0.3333333333333333, '2026-11-27 15:23:02.871042');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('weekly', 6, 3, 23.1, 324.29999999999995, 0.95, '2026-11-27 15:23:02.882046');
