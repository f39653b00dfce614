"""What may go wrong around the program, and what has to come of it; each with the test that proves it. `docs/trust.md`
shows this table."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One fault: what happens to the program, what comes of it, and the test, as `file::name`."""

    given: str
    happens: str
    test: str


SAVING = (
    Fault("killed while a checkpoint is written, at any moment", "the old one or the new one loads, never half of one",
          "test_faults.py::test_killed_while_saving_a_checkpoint_loads"),
    Fault("killed between the weights and their card", "the weights load with the card that was there",
          "test_faults.py::test_killed_between_weights_and_card"),
    Fault("killed while a run saves its state", "it resumes from the state before",
          "test_faults.py::test_killed_while_a_run_saves_its_state"),
    Fault("ended (SIGTERM, Ctrl-C) while it saves", "it saves first, then ends",
          "test_train_status.py::test_what_is_being_saved_is_saved_first"),
    Fault("killed in the middle of a line of `metrics.jsonl`", "that line is lost, the next one is not",
          "test_faults.py::test_a_line_that_was_cut_off_swallows_no_other"),
    Fault("newest state of a run damaged", "it goes on from the one before it and says so",
          "test_bad_steps.py::test_a_damaged_state_falls_back_to_the_one_before"),
    Fault("both states of a run damaged", "one sentence that tells how to begin again from a snapshot",
          "test_faults.py::test_a_damaged_state_is_a_sentence"),
    Fault("weights beyond half precision in a snapshot", "those tensors are stored in float32, and the file loads",
          "test_packing.py::test_what_half_precision_can_not_hold_is_stored_as_it_is"),
)  # fmt: skip

TRAINING = (
    Fault("process killed in training", "resume goes on from the last save and ends bit for bit as if nothing had been",
          "test_faults.py::test_a_killed_training_loses_at_most_the_steps_since_its_last_save"),
    Fault("the same on photographs", "the same",
          "test_photograph_run.py::test_killed_and_resumed_it_ends_as_if_nothing_had_been"),
    Fault("one of several processes killed", "the others end, and the run is kept",
          "test_photograph_run.py::test_when_one_process_dies_the_others_end_and_the_run_is_kept"),
    Fault("training of the page killed", "the page says so and offers to resume",
          "test_train_tab.py::test_a_stopped_training_goes_on_where_it_was"),
    Fault("a loss or a gradient is not finite", "that step is left out and counted; everything stays as before it",
          "test_bad_steps.py::test_a_bad_batch_leaves_no_trace"),
    Fault("the same in one of several processes", "all of them leave the step out",
          "test_distributed.py::test_a_bad_batch_of_one_process_is_left_out_by_all"),
    Fault("too many such steps in a row", "the run stops with one sentence; its last sound state is kept and resumes",
          "test_bad_steps.py::test_too_many_in_a_row_stop_the_run_and_it_can_be_gone_on_with"),
    Fault("weights that are not finite", "the run stops at once, and they are not saved",
          "test_bad_steps.py::test_weights_that_are_not_finite_stop_it_at_once_and_are_not_saved"),
    Fault("ended (SIGTERM, Ctrl-C) in the middle of a step", "saved as it was before the step; what is kept is said",
          "test_resume.py::test_a_terminated_run_says_what_is_saved"),
    Fault("resumed with other classes, another order of them, another split or other labels",
          "refused with the names and both values", "test_resume.py::test_another_split_list_or_labels_are_refused"),
    Fault("resumed with another learning rate, length or device", "it goes on; log and card tell each change",
          "test_resume.py::test_each_change_is_logged_and_written_on_the_card"),
    Fault("memory runs out", "one sentence", "test_train_status.py::test_what_the_machine_lacks_is_a_sentence"),
    Fault("killed while scenes are rendered", "rendering goes on from the last chunk",
          "test_sandbox.py::test_interrupted_rendering_goes_on"),
    Fault("class names that no card can hold", "refused before the first step",
          "test_training.py::test_names_that_can_not_be_written_are_refused_before_the_first_step"),
)  # fmt: skip

DISK = (
    Fault("disk full while a checkpoint is written", "one sentence; the old checkpoint stays, nothing is left over",
          "test_faults.py::test_a_full_disk_keeps_the_old_checkpoint"),
    Fault("disk full while a run saves its state", "one sentence; the older state stays",
          "test_faults.py::test_a_full_disk_keeps_the_state_of_a_run"),
    Fault("disk full while a run writes its log", "one sentence; the run has saved its state",
          "test_faults.py::test_a_full_disk_in_a_run_saves_what_it_can"),
    Fault("disk full when a run says how it ended", "its status is written over the older one, which had room for it",
          "test_run_files.py::test_a_status_never_says_training_after_a_full_disk"),
    Fault("strange lines, dates, orders or snapshots in the folder of a run", "left out; the page shows the rest",
          "test_run_files.py::test_a_strange_line_does_no_harm"),
    Fault("a console that lacks a letter, or no room for the file of scores", "the scores are kept where they can be",
          "test_command_outputs.py::test_scores_are_written_before_they_are_printed_or_drawn"),
    Fault("an output that can not be written, options that exclude each other", "refused before the first image",
          "test_command_outputs.py::test_evaluate_refuses_before_the_first_image"),
    Fault("disk full while the pictures of `explain` are written", "one sentence; the older picture stays",
          "test_faults.py::test_a_full_disk_keeps_the_pictures_of_an_image"),
    Fault("disk full while scenes are rendered", "one sentence before any is, not a killed process",
          "test_faults.py::test_a_full_disk_while_rendering_is_a_sentence"),
    Fault("disk full while a file to download is written", "one sentence; the page goes on",
          "test_faults.py::test_a_full_disk_while_exporting_is_a_sentence"),
    Fault("disk full when a training is to start", "refused in one sentence",
          "test_train_tab.py::test_a_full_disk_is_a_sentence"),
    Fault("cache folder that can not be written", "the page works; scenes and scores stay in memory",
          "test_faults.py::test_a_cache_that_can_not_be_written_is_no_error"),
    Fault("a folder that can not be written, on the command line", "one sentence that names it",
          "test_faults.py::test_a_folder_that_can_not_be_written_is_a_sentence"),
    Fault("damaged file of scores", "scored anew", "test_data_tab.py::test_a_damaged_file_of_scores_is_made_anew"),
    Fault("damaged or missing examples", "one sentence", "test_faults.py::test_damaged_examples_are_a_sentence"),
)  # fmt: skip

SERVING = (
    Fault("browser closed in a computation", "others are answered as if nothing had been",
          "test_faults_serving.py::test_a_browser_that_is_closed_in_a_computation_disturbs_nobody"),
    Fault("two pages on one machine", "each has a port of its own and answers",
          "test_faults_serving.py::test_two_pages_on_one_machine"),
    Fault("two apps score one data set", "the scores of both are kept",
          "test_faults_serving.py::test_two_apps_lose_no_score_of_each_other"),
    Fault("two processes render the same scenes", "one renders, the other waits",
          "test_faults_serving.py::test_two_processes_render_the_same_scenes_once"),
    Fault("two apps want to train", "the second is told that one is at work",
          "test_train_tab.py::test_a_stopped_training_goes_on_where_it_was"),
    Fault("two visitors save the same report", "both get it whole",
          "test_faults_serving.py::test_many_visitors_save_the_same_files"),
    Fault("port taken", "one sentence that says how to choose another",
          "test_faults_serving.py::test_a_taken_port_is_a_sentence"),
)  # fmt: skip

MACHINES = (
    Fault("another account of the computer has started gradio before; no home, an account without a name",
          "it starts; temporary files lie in a folder of its own that others can not read",
          "test_any_machine.py::test_a_second_account_without_a_home_or_a_name_can_start_it"),
    Fault("a home that can not be written, a Korean console, `--host ::1`", "it starts, and writes nothing there",
          "test_any_machine.py::test_a_home_that_can_not_be_written_and_a_korean_console"),
    Fault("`--host ::`, variables that name a proxy for the web; file names in Latin-1 and in the Unicode form of Macs",
          "it starts; the names are read",
          "test_any_machine.py::test_every_network_a_proxy_and_names_of_files_in_other_encodings"),
    Fault("an address that this computer does not have", "one sentence, before anything is loaded",
          "test_any_machine.py::test_an_address_that_is_not_of_this_computer_is_a_sentence"),
    Fault("`--port 0`; ports that are taken", "a free one", "test_any_machine.py::test_the_first_free_port"),
    Fault("Ctrl-C while it imports, loads or explains", "it ends at once, and its uploads are gone",
          "test_any_machine.py::test_ctrl_c_before_it_is_there"),
    Fault("Ctrl-C while a network computes", "the same",
          "test_any_machine.py::test_ctrl_c_while_it_computes_and_a_stream_is_open"),
    Fault("closed standard streams, or a pipe that nobody reads", "it serves",
          "test_any_machine.py::test_without_a_console"),
    Fault("consoles of cp949, cp1252 and ASCII", "letters that they lack are written plainly or as escapes",
          "test_any_machine.py::test_consoles_that_lack_letters"),
)  # fmt: skip

REQUESTS = (
    Fault("a path outside the folders of uploads and exports, however it is written", "nothing is served",
          "test_hostile_requests.py::test_no_file_outside_is_served"),
    Fault("an address of another host in place of a file", "refused in one sentence; no host is asked",
          "test_hostile_requests.py::test_the_server_asks_no_other_host"),
    Fault("a file that was not uploaded", "refused",
          "test_hostile_requests.py::test_a_path_that_was_not_uploaded_is_refused"),
    Fault("a question of more than 1 MB, or one that is no JSON", "refused in one sentence",
          "test_hostile_requests.py::test_huge_and_broken_questions_are_refused"),
    Fault("the name of another function of the server", "not found",
          "test_hostile_requests.py::test_only_the_functions_of_the_page_can_be_called"),
    Fault("an upload of 9 MB, or one named like a path", "refused, or kept in its own folder",
          "test_hostile_requests.py::test_uploads_keep_to_their_folder_and_their_size"),
    Fault("two visitors at once", "each gets its own answer",
          "test_hostile_requests.py::test_two_visitors_have_two_answers"),
    Fault("the name of somebody else's photograph", "no address and no endpoint leads to it",
          "test_hostile_events.py::test_an_upload_has_no_address_and_no_name_that_others_can_ask_for"),
    Fault("an old or hostile address of the page", "it opens with what fits, and says what does not",
          "test_hostile_events.py::test_any_address_opens_something_of_ours"),
    Fault("any visit of the tests in a browser", "no request leaves the server's own address",
          "test_app_browser.py::test_another_example_and_a_photograph_of_ones_own"),
)  # fmt: skip

NAMES = (
    Fault("a request for any other route, by any other method, or in any other spelling", "404",
          "test_routes.py::test_closed_routes_are_not_found"),
    Fault("a newer gradio serves more", "404, and this test fails until somebody has looked at it",
          "test_routes.py::test_every_route_of_gradio_is_open_or_closed_on_purpose"),
    Fault("a call beside the queue (`/run`, `/api`)", "404; nothing runs but what waits its turn",
          "test_routes.py::test_closed_routes_are_not_found"),
    Fault("a `Host` that is not the server's: a name that somebody has pointed here (DNS rebinding)", "403",
          "test_hosts.py::test_other_names_are_refused"),
    Fault("no `Host`, several, one with a user or a path", "refused",
          "test_hosts.py::test_no_name_several_names_and_names_in_other_places"),
    Fault("`X-Forwarded-Host` and its like", "not read: no address on the page comes from a visitor",
          "test_hosts.py::test_a_forwarded_header_is_not_believed"),
    Fault("a request from a page of another site, `Origin: null` included", "403",
          "test_hosts.py::test_pages_of_other_sites_are_refused"),
    Fault("a form, an image, a frame, a stream or a socket of another site, in Chromium",
          "nothing is read, nothing is started, nothing is shown",
          "test_other_sites_browser.py::test_a_page_of_another_site_reads_nothing_and_starts_nothing"),
    Fault("DNS rebinding, in Chromium", "the same",
          "test_other_sites_browser.py::test_a_name_that_was_pointed_here_is_not_served"),
    Fault("any value in any event of the page, by its number", "it is done or refused in one sentence",
          "test_questions.py::test_any_value_is_taken_or_refused_in_one_sentence"),
    Fault("the number of another event, too few values or too many", "refused",
          "test_questions.py::test_the_number_of_an_event_and_of_its_values"),
    Fault("a file that is no upload of this server, or is gone", "refused in one sentence",
          "test_questions.py::test_files_are_those_that_were_uploaded"),
    Fault("`--host`, `--public-name`, `--share`, `--train`", "what each opens is said when the app starts",
          "test_hosts.py::test_what_is_opened_is_said"),
    Fault("a server that others can reach", "training is off unless `--train` asks for it",
          "test_hosts.py::test_training_is_off_where_others_can_come"),
)  # fmt: skip

GROUPS = {
    "Saving": SAVING, "Training": TRAINING, "Disk": DISK, "Serving": SERVING, "Machines": MACHINES,
    "Requests": REQUESTS, "Names, pages and routes": NAMES,
}  # fmt: skip
FAULTS = [fault for group in GROUPS.values() for fault in group]
