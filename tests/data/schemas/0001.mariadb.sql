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

INSERT INTO job (job_id, job_id_prefix, derived_id, batch_sizes, default_batch_size, eta_knob, beta_knob, target_metric, higher_is_better_metric, max_epochs, num_pruning_rounds, window_size, mab_prior_mean, mab_prior_precision, mab_num_explorations, mab_seed, policy, max_power, number_of_gpus, gpu_model, stage, generation, wide, round, round_start, round_sizes, min_cost, min_cost_since, cost_bound_in_row, rng_state, last_trial_number, last_decision, longest_epoch_s, energy_source, foreign_source_in_row, created_at, updated_at) VALUES ('nightly/Ünï 🚀', 'unit', false, '[8,16,32,64]', 16, 0.5, 2.0, 0.9, true, 10, 1, 3, 0.0, 0.0, 2, 1, 'zeus', 300.0, 1, 'A100', 'MAB', 1, false, 1, 16, '[8,16,32,64]', 2418.1, 0, 0, '{"bit_generator":"PCG64","state":{"state":329438673042910885865317534504207240504,"inc":194290289479364712180083596243593368443},"has_uint32":0,"uinteger":1972832594}', 14, 12, 10.0, NULL, 0, '2026-11-21 22:20:28.950663', '2026-11-21 22:20:29.417799');
INSERT INTO job_tombstone (job_id, last_trial_number, generation, deleted_at) VALUES ('deleted', 1, 1, '2026-11-21 22:20:29.444827');
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, barren_in_row, oom_in_row, retired) VALUES ('nightly/Ünï 🚀', 8, 7, -2418.1, 0.0, true, 7, true, 2418.1, 0, 0, 1, NULL);
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, barren_in_row, oom_in_row, retired) VALUES ('nightly/Ünï 🚀', 16, 2, -2426.1, 0.0, true, 2, true, 2426.1, 0, 0, 1, NULL);
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, barren_in_row, oom_in_row, retired) VALUES ('nightly/Ünï 🚀', 32, 2, -2442.1, 0.0, true, 2, true, 2442.1, 0, 0, 1, NULL);
INSERT INTO batch_size_state (job_id, batch_size, num_observations, reward_mean, reward_m2, is_arm, converged, ever_converged, best_cost, missed_in_row, barren_in_row, oom_in_row, retired) VALUES ('nightly/Ünï 🚀', 64, 1, -4836.2, 0.0, false, 0, false, NULL, 1, 0, 1, 'oom');
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 1, 16, 1, 'Exploration', 1, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2426.1 J.', 'night-0', NULL, NULL, true, true, '2026-11-21 22:20:28.959366', '2026-11-21 22:20:29.019810', '2026-11-21 22:20:29.019810', '2026-11-22 04:20:29.019810', '2026-11-21 22:20:29.019810', 2, 15.4, 232.2, 0.95, 0, true, NULL, 0.0, 0.0, 2426.1, -2426.1, 1);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 2, 8, 1, 'Exploration', 1, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2418.1 J.', 'night-1', NULL, NULL, true, true, '2026-11-21 22:20:29.031782', '2026-11-21 22:20:29.073718', '2026-11-21 22:20:29.073718', '2026-11-22 04:20:29.073718', '2026-11-21 22:20:29.073718', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 2);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 3, 32, 1, 'Exploration', 1, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2442.1 J.', 'night-2', NULL, NULL, true, true, '2026-11-21 22:20:29.091619', '2026-11-21 22:20:29.110598', '2026-11-21 22:20:29.110598', '2026-11-22 04:20:29.110598', '2026-11-21 22:20:29.110598', 2, 15.4, 264.2, 0.95, 0, true, NULL, 0.0, 0.0, 2442.1, -2442.1, 3);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 4, 64, 1, 'Exploration', 1, false, 'Succeeded', 'target-missed', NULL, 'The run ended at epoch 2 of at most 10 without reaching its target.', 'night-3', NULL, NULL, true, true, '2026-11-21 22:20:29.121757', '2026-11-21 22:20:29.134786', '2026-11-21 22:20:29.134786', '2026-11-22 04:20:29.134786', '2026-11-21 22:20:29.134786', 2, 15.4, 328.2, NULL, 1, false, NULL, 0.0, 0.0, 2474.1, -4836.2, 4);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 5, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2418.1 J.', 'night-4', NULL, NULL, true, true, '2026-11-21 22:20:29.141419', '2026-11-21 22:20:29.155937', '2026-11-21 22:20:29.155937', '2026-11-22 04:20:29.155937', '2026-11-21 22:20:29.155937', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 5);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 6, 16, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2426.1 J.', 'night-5', NULL, NULL, true, true, '2026-11-21 22:20:29.162410', '2026-11-21 22:20:29.174506', '2026-11-21 22:20:29.174506', '2026-11-22 04:20:29.174506', '2026-11-21 22:20:29.174506', 2, 15.4, 232.2, 0.95, 0, true, NULL, 0.0, 0.0, 2426.1, -2426.1, 6);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 7, 32, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2442.1 J.', 'night-6', NULL, NULL, true, true, '2026-11-21 22:20:29.180622', '2026-11-21 22:20:29.190861', '2026-11-21 22:20:29.190861', '2026-11-22 04:20:29.190861', '2026-11-21 22:20:29.190861', 2, 15.4, 264.2, 0.95, 0, true, NULL, 0.0, 0.0, 2442.1, -2442.1, 7);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 8, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2418.1 J.', 'night-7', NULL, NULL, true, true, '2026-11-21 22:20:29.197972', '2026-11-21 22:20:29.209064', '2026-11-21 22:20:29.209064', '2026-11-22 04:20:29.209064', '2026-11-21 22:20:29.209064', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 8);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 9, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2418.1 J.', 'night-8', NULL, NULL, true, true, '2026-11-21 22:20:29.215379', '2026-11-21 22:20:29.225870', '2026-11-21 22:20:29.225870', '2026-11-22 04:20:29.225870', '2026-11-21 22:20:29.225870', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 9);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 10, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2418.1 J.', 'night-9', NULL, NULL, true, true, '2026-11-21 22:20:29.231886', '2026-11-21 22:20:29.244072', '2026-11-21 22:20:29.244072', '2026-11-22 04:20:29.244072', '2026-11-21 22:20:29.244072', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 10);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 11, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2418.1 J.', 'night-10', NULL, NULL, true, true, '2026-11-21 22:20:29.249979', '2026-11-21 22:20:29.327583', '2026-11-21 22:20:29.327583', '2026-11-22 04:20:29.327583', '2026-11-21 22:20:29.327583', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 11);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 12, 8, 1, 'MAB', NULL, false, 'Succeeded', 'converged', NULL, 'Converged: the target metric was reached at a cost of 2418.1 J.', 'night-11', NULL, NULL, true, true, '2026-11-21 22:20:29.347474', '2026-11-21 22:20:29.373162', '2026-11-21 22:20:29.373162', '2026-11-22 04:20:29.373162', '2026-11-21 22:20:29.373162', 2, 15.4, 216.2, 0.95, 0, true, NULL, 0.0, 0.0, 2418.1, -2418.1, 12);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 13, 8, 1, 'MAB', NULL, false, 'Failed', NULL, 'oom', 'The trial has ended without a result (oom).', 'out of memory', NULL, NULL, false, false, '2026-11-21 22:20:29.385279', '2026-11-21 22:20:29.385279', '2026-11-21 22:20:29.385279', '2026-11-22 04:20:29.385279', '2026-11-21 22:20:29.396997', 0, 0.0, 0.0, NULL, 0, false, NULL, 0.0, 0.0, NULL, NULL, NULL);
INSERT INTO trial (job_id, trial_number, batch_size, generation, type, round, uncapped, status, outcome, reason, message, run_id, instance, heartbeat_s, reported, start_reported, started_at, last_report_at, last_seen_at, lease_expires_at, ended_at, current_epoch, time, energy, metric, non_finite_in_row, target_reached, energy_source, wasted_time, wasted_energy, cost, reward, decision) VALUES ('nightly/Ünï 🚀', 14, 8, 1, 'MAB', NULL, false, 'Dispatched', NULL, NULL, 'Go on training.', 'still running', NULL, NULL, true, true, '2026-11-21 22:20:29.407172', '2026-11-21 22:20:29.415113', '2026-11-21 22:20:29.415113', '2026-11-22 04:20:29.415113', NULL, 1, 10.0, 100.0, NULL, 1, false, NULL, 0.0, 0.0, NULL, NULL, NULL);
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 1, 1, 7.7, 116.1, 0.1, '2026-11-21 22:20:29.005585');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 1, 2, 15.4, 232.2, 0.95, '2026-11-21 22:20:29.019810');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 2, 1, 7.7, 108.1, 0.1, '2026-11-21 22:20:29.054182');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 2, 2, 15.4, 216.2, 0.95, '2026-11-21 22:20:29.073718');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 3, 1, 7.7, 132.1, 0.1, '2026-11-21 22:20:29.104080');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 3, 2, 15.4, 264.2, 0.95, '2026-11-21 22:20:29.110598');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 4, 1, 7.7, 164.1, 0.1, '2026-11-21 22:20:29.130090');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 4, 2, 15.4, 328.2, NULL, '2026-11-21 22:20:29.134786');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 5, 1, 7.7, 108.1, 0.1, '2026-11-21 22:20:29.151383');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 5, 2, 15.4, 216.2, 0.95, '2026-11-21 22:20:29.155937');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 6, 1, 7.7, 116.1, 0.1, '2026-11-21 22:20:29.169078');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 6, 2, 15.4, 232.2, 0.95, '2026-11-21 22:20:29.174506');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 7, 1, 7.7, 132.1, 0.1, '2026-11-21 22:20:29.186588');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 7, 2, 15.4, 264.2, 0.95, '2026-11-21 22:20:29.190861');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 8, 1, 7.7, 108.1, 0.1, '2026-11-21 22:20:29.204346');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 8, 2, 15.4, 216.2, 0.95, '2026-11-21 22:20:29.209064');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 9, 1, 7.7, 108.1, 0.1, '2026-11-21 22:20:29.221473');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 9, 2, 15.4, 216.2, 0.95, '2026-11-21 22:20:29.225870');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 10, 1, 7.7, 108.1, 0.1, '2026-11-21 22:20:29.239765');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 10, 2, 15.4, 216.2, 0.95, '2026-11-21 22:20:29.244072');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 11, 1, 7.7, 108.1, 0.1, '2026-11-21 22:20:29.319622');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 11, 2, 15.4, 216.2, 0.95, '2026-11-21 22:20:29.327583');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 12, 1, 7.7, 108.1, 0.1, '2026-11-21 22:20:29.363317');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 12, 2, 15.4, 216.2, 0.95, '2026-11-21 22:20:29.373162');
INSERT INTO trial_report (job_id, trial_number, epoch, time, energy, metric, reported_at) VALUES ('nightly/Ünï 🚀', 14, 1, 10.0, 100.0, NULL, '2026-11-21 22:20:29.415113');
