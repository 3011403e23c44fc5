//! Everything that can be asked, and by whom: router, guard, limits and OpenAPI document are made from this one list.
//!
//! [`Table::add`] is the only way in, so a route without a policy does not compile.

use crate::guard::{Guard, guard};
use crate::notifications::{alerts, bounces, deliveries, inbox, settings as notification_settings, webhooks};
use crate::policy::Policy::{self, Caller, Open, Person, Platform};
use crate::policy::{Of, admin, operator, viewer};
use crate::quota::Class::{
    self, Analytics, Login, Members, Ordinary, Refresh, Register, Submission, Unlimited, Upload,
};
use crate::reconciliation::{self as runs, downloads};
use crate::review::{bulk, decisions, find, history, lists, settings, summary, verdicts};
use crate::state::Api;
use crate::vitals::{figures, health, probes, scaling};
use crate::{
    analytics, api_keys, audit, auth, backups, data_sources, document, files, idempotency, invitations, jobs,
    layers, limits, members, organisations, projects, queues, schedules, users,
};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::Method;
use axum::middleware::{from_fn, from_fn_with_state};
use std::collections::HashMap;
use std::sync::Arc;
use utoipa::openapi::path::PathItem;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};
use utoipa_axum::routes;

pub(crate) fn table() -> Table {
    let mut t = Table::new();
    t.add(Open, Register, routes!(auth::register::register));
    t.add(Open, Login, routes!(auth::login::log_in));
    t.add(Open, Login, routes!(auth::password_reset::reset_password));
    t.add(Open, Ordinary, routes!(auth::oidc::show_provider));
    t.add(Open, Refresh, routes!(auth::oidc::start_provider_login));
    t.add(Open, Refresh, routes!(auth::oidc::finish_provider_login));
    t.add(Open, Refresh, routes!(auth::refresh::refresh));
    t.add(Person, Ordinary, routes!(auth::account::log_out));
    t.add(Person, Ordinary, routes!(auth::account::me));
    t.add(Person, Login, routes!(auth::account::change_password));
    t.add(Person, Ordinary, routes!(auth::sessions::list_sessions));
    t.add(Person, Ordinary, routes!(auth::sessions::end_other_sessions));
    t.add(Person, Ordinary, routes!(auth::sessions::end_session));
    t.add(Person, Login, routes!(auth::second_factor::offer_second_factor));
    t.add(Person, Login, routes!(auth::second_factor::confirm_second_factor));
    t.add(Person, Login, routes!(auth::second_factor::remove_second_factor));
    t.add(Person, Register, routes!(invitations::accept_invitation));
    t.add(Open, Ordinary, routes!(auth::jwks::list_public_keys));

    t.add(Platform, Members, routes!(users::list_users));
    t.add(Platform, Ordinary, routes!(users::show_user));
    t.add(Platform, Ordinary, routes!(users::disable_user));
    t.add(Platform, Ordinary, routes!(users::enable_user));
    t.add(Platform, Ordinary, routes!(users::require_password_change));
    t.add(Platform, Ordinary, routes!(users::offer_password_reset));

    t.add(Person, Ordinary, routes!(organisations::list_organisations));
    t.add(Person, Ordinary, routes!(organisations::found_organisation));
    t.add(Caller, Ordinary, routes!(projects::list_projects));
    t.add(Person, Ordinary, routes!(projects::create_project));
    t.add(viewer(Of::Project), Ordinary, routes!(projects::show_project));
    t.add(viewer(Of::Project), Members, routes!(members::list_members));
    t.add(admin(Of::Project), Ordinary, routes!(members::change_member));
    t.add(admin(Of::Project), Ordinary, routes!(members::remove_member));
    t.add(admin(Of::Project), Members, routes!(invitations::list_invitations));
    t.add(admin(Of::Project), Ordinary, routes!(invitations::invite));
    t.add(admin(Of::Project), Ordinary, routes!(invitations::withdraw_invitation));
    t.add(admin(Of::Project), Ordinary, routes!(api_keys::list_api_keys));
    t.add(admin(Of::Project), Ordinary, routes!(api_keys::create_api_key));
    t.add(admin(Of::Project), Ordinary, routes!(api_keys::revoke_api_key));

    t.add(viewer(Of::Query), Ordinary, routes!(files::list_files));
    t.add(operator(Of::File), Ordinary, routes!(files::delete::delete_file));
    t.add(viewer(Of::File), Ordinary, routes!(files::preview::preview_file));
    t.add(viewer(Of::File), Ordinary, routes!(files::dry_run::try_mapping));
    t.add_upload(operator(Of::Form), Upload, routes!(files::upload::upload_file));
    t.add(viewer(Of::Query), Ordinary, routes!(data_sources::routes::list_data_sources));
    t.add(operator(Of::Body), Ordinary, routes!(data_sources::routes::create_data_source));
    t.add(viewer(Of::DataSource), Ordinary, routes!(data_sources::routes::show_data_source));

    t.add(viewer(Of::Query), Ordinary, routes!(runs::list::list_reconciliations));
    t.add(operator(Of::Body), Submission, routes!(runs::submit::submit_reconciliation));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(runs::show::show_reconciliation));
    t.add(operator(Of::Reconciliation), Ordinary, routes!(runs::delete::delete_reconciliation));
    t.add(operator(Of::Reconciliation), Ordinary, routes!(runs::stop::cancel_reconciliation));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(runs::chain::show_chain));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(runs::chain::show_rules));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(runs::matches::list_matches));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(runs::exceptions::list_exceptions));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(runs::rejected_lines::list_rejected_lines));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(runs::summary::show_summary));
    t.add(Caller, Ordinary, routes!(runs::presets::list_presets));
    t.add(operator(Of::Body), Ordinary, routes!(runs::sample::try_rules));
    t.add_long(viewer(Of::Reconciliation), Ordinary, routes!(runs::events::watch_reconciliation));
    t.add_long(viewer(Of::Reconciliation), Ordinary, routes!(downloads::download_matches));
    t.add_long(viewer(Of::Reconciliation), Ordinary, routes!(downloads::download_matches_as_json_lines));
    t.add_long(viewer(Of::Reconciliation), Ordinary, routes!(downloads::download_exceptions));
    t.add_long(viewer(Of::Reconciliation), Ordinary, routes!(downloads::download_exceptions_as_json_lines));
    t.add_long(viewer(Of::Reconciliation), Ordinary, routes!(downloads::download_rejected_lines));
    t.add_long(
        viewer(Of::Reconciliation),
        Ordinary,
        routes!(downloads::download_rejected_lines_as_json_lines),
    );
    t.add_long(viewer(Of::Reconciliation), Ordinary, routes!(downloads::workbook::download_workbook));

    t.add(viewer(Of::Reconciliation), Ordinary, routes!(summary::show_review));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(lists::list_review_exceptions));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(lists::next_review_exception));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(lists::show_review_exception));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(find::find_open_records));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(lists::list_review_matches));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(lists::show_review_match));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(lists::list_hand_matches));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(history::list_decisions));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(history::show_decision));
    t.add(operator(Of::Reconciliation), Ordinary, routes!(decisions::decide_about_results));
    t.add(operator(Of::Reconciliation), Ordinary, routes!(verdicts::judge_decision));
    t.add(viewer(Of::Reconciliation), Ordinary, routes!(bulk::preview_bulk));
    t.add(operator(Of::Reconciliation), Ordinary, routes!(bulk::decide_in_bulk));
    t.add(viewer(Of::Project), Ordinary, routes!(verdicts::list_waiting_decisions));
    t.add(viewer(Of::Project), Ordinary, routes!(settings::list_review_reasons));
    t.add(admin(Of::Project), Ordinary, routes!(settings::set_review_reason));
    t.add(viewer(Of::Project), Ordinary, routes!(settings::list_four_eyes_limits));
    t.add(admin(Of::Project), Ordinary, routes!(settings::set_four_eyes_limit));
    t.add(admin(Of::Project), Ordinary, routes!(settings::remove_four_eyes_limit));
    t.add(viewer(Of::Project), Ordinary, routes!(audit::list::list_audit));
    t.add(Platform, Ordinary, routes!(audit::list::list_system_audit));

    t.add(viewer(Of::QueryOrAll), Ordinary, routes!(jobs::list::list_jobs));
    t.add(viewer(Of::QueryOrAll), Ordinary, routes!(jobs::counts::count_jobs));
    t.add(viewer(Of::Job), Ordinary, routes!(jobs::show::show_job));
    t.add(viewer(Of::JobToCome), Ordinary, routes!(jobs::explain::explain_job));
    t.add(Platform, Ordinary, routes!(jobs::workers::list_workers));
    t.add(Platform, Ordinary, routes!(jobs::workers::drain_worker));
    t.add(Platform, Ordinary, routes!(jobs::workers::resume_worker));
    t.add(operator(Of::Job), Ordinary, routes!(jobs::act::cancel_job));
    t.add(operator(Of::Job), Ordinary, routes!(jobs::act::redrive_job));
    t.add(operator(Of::Job), Ordinary, routes!(jobs::act::retry_job_now));
    t.add(operator(Of::BodyOrAll), Ordinary, routes!(jobs::bulk::act_on_jobs));
    t.add(viewer(Of::QueryOrAll), Ordinary, routes!(jobs::dead_groups::list_dead_groups));
    t.add(viewer(Of::Query), Ordinary, routes!(jobs::batches::list_batches));
    t.add(operator(Of::Body), Submission, routes!(jobs::batches::submit_batch));
    t.add(viewer(Of::Batch), Ordinary, routes!(jobs::batches::show_batch));
    t.add(operator(Of::Batch), Ordinary, routes!(jobs::batches::cancel_batch));
    t.add(Platform, Ordinary, routes!(jobs::dead_letters::look_at_dead_letters));
    t.add(Platform, Ordinary, routes!(jobs::dead_letters::redrive_dead_letters));
    t.add(Platform, Ordinary, routes!(jobs::dead_letters::purge_dead_letters));

    t.add(Platform, Ordinary, routes!(schedules::collection::list_system_schedules));
    t.add(Platform, Ordinary, routes!(schedules::collection::create_system_schedule));
    t.add(viewer(Of::Project), Ordinary, routes!(schedules::collection::list_project_schedules));
    t.add(operator(Of::Project), Ordinary, routes!(schedules::collection::create_project_schedule));
    t.add(Caller, Ordinary, routes!(schedules::next::preview_schedule));
    t.add(viewer(Of::Schedule), Ordinary, routes!(schedules::item::show_schedule));
    t.add(operator(Of::Schedule), Ordinary, routes!(schedules::item::change_schedule));
    t.add(operator(Of::Schedule), Ordinary, routes!(schedules::item::remove_schedule));
    t.add(operator(Of::Schedule), Ordinary, routes!(schedules::item::pause_schedule));
    t.add(operator(Of::Schedule), Ordinary, routes!(schedules::item::resume_schedule));
    t.add(operator(Of::Schedule), Submission, routes!(schedules::item::run_schedule));
    t.add(viewer(Of::Schedule), Ordinary, routes!(schedules::next::list_next_times));
    t.add(viewer(Of::Schedule), Ordinary, routes!(schedules::ticks::list_ticks));

    t.add(Person, Ordinary, routes!(inbox::list_notifications));
    t.add(Person, Ordinary, routes!(inbox::mark_notifications));
    t.add(Person, Ordinary, routes!(inbox::test_notifications));
    t.add(Person, Ordinary, routes!(notification_settings::show_notification_settings));
    t.add(Person, Ordinary, routes!(notification_settings::set_notification_settings));
    t.add(Platform, Ordinary, routes!(alerts::list_system_alerts));
    t.add(viewer(Of::Project), Ordinary, routes!(alerts::list_project_alerts));
    t.add(operator(Of::Alert), Ordinary, routes!(alerts::acknowledge_alert));
    t.add(operator(Of::Alert), Ordinary, routes!(alerts::resolve_alert));
    t.add(Platform, Ordinary, routes!(bounces::list_bounces));
    t.add(Platform, Ordinary, routes!(bounces::clear_bounce));
    t.add(Platform, Ordinary, routes!(webhooks::list_system_webhooks));
    t.add(Platform, Ordinary, routes!(webhooks::add_system_webhook));
    t.add(admin(Of::Project), Ordinary, routes!(webhooks::list_project_webhooks));
    t.add(admin(Of::Project), Ordinary, routes!(webhooks::add_project_webhook));
    t.add(admin(Of::Webhook), Ordinary, routes!(webhooks::show_webhook));
    t.add(admin(Of::Webhook), Ordinary, routes!(webhooks::change_webhook));
    t.add(admin(Of::Webhook), Ordinary, routes!(webhooks::remove_webhook));
    t.add(admin(Of::Webhook), Ordinary, routes!(webhooks::change_webhook_secret));
    t.add(admin(Of::Webhook), Ordinary, routes!(webhooks::enable_webhook));
    t.add(admin(Of::Webhook), Ordinary, routes!(webhooks::test_webhook));
    t.add(admin(Of::Webhook), Ordinary, routes!(deliveries::list_webhook_deliveries));
    t.add(admin(Of::Webhook), Ordinary, routes!(deliveries::resend_to_webhook));

    t.add(viewer(Of::Query), Analytics, routes!(analytics::show_dashboard));
    t.add(Platform, Ordinary, routes!(queues::list_queues));
    t.add(Platform, Ordinary, routes!(queues::pause_queue));
    t.add(Platform, Ordinary, routes!(queues::resume_queue));
    t.add(Platform, Ordinary, routes!(limits::list_limits));
    t.add(Platform, Ordinary, routes!(limits::set_limit));
    t.add(Platform, Ordinary, routes!(limits::remove_limit));

    t.add(Platform, Ordinary, routes!(backups::list::list_backups));
    t.add(Platform, Ordinary, routes!(backups::ask::create_backup));
    t.add(Platform, Ordinary, routes!(backups::list::show_backup));
    t.add(Platform, Ordinary, routes!(backups::list::protect_backup));
    t.add(Platform, Ordinary, routes!(backups::ask::verify_backup));
    t.add(Platform, Ordinary, routes!(backups::stores::list_backup_stores));
    t.add(Platform, Ordinary, routes!(backups::health::show_backup_health));
    t.add(Platform, Ordinary, routes!(backups::retention::plan_retention));
    t.add(Platform, Ordinary, routes!(backups::alerts::list_backup_alerts));
    t.add(Platform, Ordinary, routes!(backups::alerts::acknowledge_backup_alert));
    t.add(Platform, Ordinary, routes!(backups::restores::list_restores));
    t.add(Platform, Ordinary, routes!(backups::restores::create_restore));
    t.add(Platform, Ordinary, routes!(backups::restores::show_restore));

    t.add(Open, Unlimited, routes!(health::health));
    t.add(Open, Unlimited, routes!(health::ready));
    t.add(Open, Unlimited, routes!(health::live));
    t.add(Open, Unlimited, routes!(probes::livez));
    t.add(Open, Unlimited, routes!(probes::readyz));
    t.add(Open, Unlimited, routes!(probes::startupz));
    t.add(Open, Unlimited, routes!(figures::metrics));
    t.add(Open, Unlimited, routes!(scaling::show_scaling));
    t.add(Open, Ordinary, routes!(document::openapi_json));
    t
}

/// The list, as it is made.
pub(crate) struct Table {
    /// Within the time limit of short answers.
    short: OpenApiRouter<Api>,
    /// As long as the client wants; each has a limit of its own.
    long: OpenApiRouter<Api>,
    declared: HashMap<String, Vec<Declared>>,
}

/// What the list says of one method of one path.
#[derive(Debug, Clone)]
pub(crate) struct Declared {
    pub method: Method,
    pub policy: Policy,
    pub class: Class,
}

impl Table {
    fn new() -> Self {
        let short = OpenApiRouter::with_openapi(document::skeleton());
        Self { short, long: OpenApiRouter::new(), declared: HashMap::new() }
    }

    fn add(&mut self, policy: Policy, class: Class, route: UtoipaMethodRouter<Api>) {
        self.declare(policy, class, &route);
        self.short = std::mem::take(&mut self.short).routes(route);
    }

    /// For streams and downloads.
    fn add_long(&mut self, policy: Policy, class: Class, route: UtoipaMethodRouter<Api>) {
        self.declare(policy, class, &route);
        self.long = std::mem::take(&mut self.long).routes(route);
    }

    /// For files: their own limit counts the file alone, while it is written.
    fn add_upload(&mut self, policy: Policy, class: Class, route: UtoipaMethodRouter<Api>) {
        self.declare(policy, class, &route);
        let upload = OpenApiRouter::new().routes(route).layer(DefaultBodyLimit::disable());
        self.long = std::mem::take(&mut self.long).merge(upload);
    }

    fn declare(&mut self, policy: Policy, class: Class, (_, paths, _): &UtoipaMethodRouter<Api>) {
        for (path, item) in &paths.paths {
            // A policy that looks for an id needs one to look for.
            if let Policy::Project(_, of) = policy {
                assert!(
                    !of.is_of_path() || path.contains("{id}"),
                    "{path} has no {{id}} to find the project by"
                );
            }
            let declared = self.declared.entry(path.clone()).or_default();
            declared.extend(methods_of(item).into_iter().map(|method| Declared { method, policy, class }));
        }
    }

    /// Every route, guarded.
    pub fn into_router(self, api: &Api) -> Router<Api> {
        let guarding = Guard { api: api.clone(), declared: Arc::new(self.declared) };
        let short = self.short.layer(from_fn(idempotency::note_key));
        let short = short.layer(from_fn_with_state(guarding.clone(), guard));
        let long = self.long.layer(from_fn_with_state(guarding, guard));
        let (router, _) = layers::with_time_limit(short, api.request_timeout).merge(long).split_for_parts();
        router
    }

    /// The document, with the policy of each operation in it.
    pub fn into_document(self) -> utoipa::openapi::OpenApi {
        let document = self.short.merge(self.long).into_openapi();
        document::complete(document, |path, method| {
            let declared = self.declared.get(path).and_then(|all| all.iter().find(|d| d.method == *method));
            declared.expect("the document and the table are made of the same routes").policy
        })
    }
}

fn methods_of(item: &PathItem) -> Vec<Method> {
    [
        (&item.get, Method::GET),
        (&item.post, Method::POST),
        (&item.put, Method::PUT),
        (&item.patch, Method::PATCH),
        (&item.delete, Method::DELETE),
    ]
    .into_iter()
    .filter_map(|(operation, method)| operation.as_ref().map(|_| method))
    .collect()
}

/// The OpenAPI 3.1 document of [`crate::run`].
pub fn openapi() -> utoipa::openapi::OpenApi {
    table().into_document()
}
