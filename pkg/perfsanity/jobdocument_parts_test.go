package perfsanity

import "testing"

// A branch is what the build says, else what its parent's address has; a pull request is known by its address alone.
func TestJobParts(t *testing.T) {
	for name, tt := range map[string]struct {
		vars string
		want map[string]any
	}{
		"own branch": {
			`{"build_branch": "release", "action_info": {"parents": [{"url": "/job/LLM/job/main/job/x/"}]}}`,
			map[string]any{"s_branch": "release", "s_job_url": "/job/LLM/job/main/job/x/", "b_is_post_merge": false},
		},
		"parent's branch": {
			`{"action_info": {"parents": [{"url": "/job/LLM/job/main/job/x/", "build_number": "7"}]}}`,
			map[string]any{"s_branch": "main", "s_job_id": "7"},
		},
		"no parents": {
			`{"action_info": {"parents": []}}`, map[string]any{"s_branch": nil, "s_job_url": "", "s_job_id": ""},
		},
		"pull request": {
			`{"github_pr_api_url": "https://h/repos/o/r/pulls/12"}`, map[string]any{
				"b_is_pr_job": true, "s_trigger_mr_link": "https://h/repos/o/r/pulls/12", "s_trigger_mr_id": "12",
			},
		},
		"no pull request": {`{}`, map[string]any{"b_is_pr_job": false, "s_trigger_mr_link": "", "s_trigger_mr_id": ""}},
		"another trigger": {`{"action_info": {"trigger_info": "timer"}}`, map[string]any{"s_trigger_mr_user": ""}},
		"wrong type":      {`{"build_branch": 1, "github_pr_api_url": "u"}`, map[string]any{"b_is_pr_job": false}},
	} {
		doc := JobDocument(func(v string) string { return map[string]string{"globalVars": tt.vars}[v] })
		for key, want := range tt.want {
			if doc[key] != want {
				t.Errorf("%s: %s is %v, want %v", name, key, doc[key], want)
			}
		}
	}
}

// Variables that stand for themselves come through as they are.
func TestJobVariables(t *testing.T) {
	doc := JobDocument(func(v string) string { return "of " + v })
	for key, want := range map[string]any{
		"s_build_url": "of BUILD_URL", "s_job_name": "of JOB_NAME", "s_commit": "of gitlabCommit",
		"s_trigger_mr_commit": "of gitlabCommit", "s_artifact_url": "", "b_is_regression": false, "b_is_valid": true,
	} {
		if doc[key] != want {
			t.Errorf("%s is %v, want %v", key, doc[key], want)
		}
	}
	doc = JobDocument(func(string) string { return "" })
	if _, there := doc["s_commit"]; there {
		t.Errorf("%v: an empty commit hides the checkout's", doc)
	}
}
