from django.urls import path

from appeals.portal import account, appeals, changes, errors, feedback, home, lessons, notices, penalties

app_name = "portal"

urlpatterns = [
    path("", home.home, name="home"),
    path("login/", account.sign_in, name="login"),
    path("logout/", account.sign_out, name="logout"),
    path("welcome/<str:uid>/<str:token>/", account.welcome, name="welcome"),
    path("guild/", account.choose_guild, name="choose_guild"),
    path("penalties/", penalties.penalty_list, name="penalties"),
    path("penalties/<uuid:penalty_id>/", penalties.penalty_page, name="penalty"),
    path("penalties/<uuid:penalty_id>/appeal/", penalties.appeal_form, name="appeal_form"),
    path("appeals/", appeals.appeal_list, name="appeals"),
    path("appeals/<uuid:appeal_id>/", appeals.appeal_page, name="appeal"),
    path("appeals/<uuid:appeal_id>/message/", appeals.message_add, name="message_add"),
    path("appeals/<uuid:appeal_id>/withdraw/", appeals.withdraw, name="withdraw"),
    path("appeals/<uuid:appeal_id>/files/<uuid:evidence_id>/", appeals.evidence_download, name="evidence"),
    path("lessons/", lessons.lesson_list, name="lessons"),
    path("lessons/<slug:code>/", lessons.lesson_page, name="lesson"),
    path("lessons/<slug:code>/acknowledge/", lessons.lesson_acknowledge, name="lesson_acknowledge"),
    path("lessons/<slug:code>/quiz/", lessons.lesson_quiz, name="lesson_quiz"),
    path("lessons/<slug:code>/attempts/<int:attempt_id>/", lessons.lesson_result, name="lesson_result"),
    path("notices/", notices.notice_list, name="notices"),
    path("notices/<uuid:notice_id>/", notices.notice_page, name="notice"),
    path("notices/<uuid:notice_id>/read/", notices.notice_mark_read, name="notice_mark_read"),
    path("changes/", changes.change_list, name="changes"),
    path("changes/<uuid:notice_id>/read/", changes.change_acknowledge, name="change_acknowledge"),
    path("feedback/", feedback.feedback_page, name="feedback"),
    path("feedback/<uuid:feedback_id>/", feedback.feedback_message, name="feedback_message"),
    path("<path:rest>", errors.nowhere),
]
