//! Clients that are not ours: the SDK's, and the public one for Python.

use crate::processes::ground::{Ground, unbroken};
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    CallToolRequestParams, ReadResourceRequestParams, ResourceUpdatedNotificationParam,
    SubscribeRequestParams,
};
use rmcp::service::{NotificationContext, RoleClient, ServiceExt as _};
use rmcp::transport::TokioChildProcess;
use serde_json::{Value, json};
use std::process::Command;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

struct Ears(UnboundedSender<String>);

impl ClientHandler for Ears {
    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let _ = self.0.send(params.uri);
    }
}

fn ears() -> (Ears, UnboundedReceiver<String>) {
    let (say, said) = unbounded_channel();
    (Ears(say), said)
}

#[allow(deprecated, reason = "clients until 2025-11-25 subscribe so")]
#[test]
fn the_sdks_own_client_goes_through_a_whole_task() {
    let ground = Ground::of_rows(2, "READY");
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_orch"));
        command.args(["mcp", "--as", "WORK@ada"]).current_dir(ground.root()).env_clear();
        let (handler, mut said) = ears();
        let client = handler.serve(TokioChildProcess::new(command).unwrap()).await.unwrap();
        assert_eq!(client.peer_info().unwrap().server_info.as_ref().unwrap().name, "orch");
        assert_eq!(client.list_all_tools().await.unwrap().len(), 8);
        assert_eq!(client.list_all_resources().await.unwrap().len(), 3);
        assert_eq!(client.list_all_prompts().await.unwrap().len(), 3);
        client.subscribe(SubscribeRequestParams::new("orch://tasks")).await.unwrap();
        let call = async |tool: &'static str, arguments: Value| -> Value {
            let arguments = arguments.as_object().unwrap().clone();
            let params = CallToolRequestParams::new(tool).with_arguments(arguments);
            client.call_tool(params).await.unwrap().structured_content.unwrap()
        };
        let claimed = call("claim", json!({})).await;
        assert_eq!(said.recv().await.unwrap(), "orch://tasks");
        let lease = &claimed["data"]["lease"]["token"];
        let refused = call("submit", json!({"id": "T-0002"})).await;
        assert_eq!(refused["error"]["code"], "not_allowed", "{refused}");
        let submitted = call("submit", json!({"id": "T-0001", "token": lease})).await;
        assert_eq!(submitted["data"]["task"]["state"], "REVIEW", "{submitted}");
        let read = ReadResourceRequestParams::new("orch://task/T-0001");
        let read = client.read_resource(read).await.unwrap();
        assert!(serde_json::to_string(&read).unwrap().contains("REVIEW"));
        client.cancel().await.unwrap();
    });
    unbroken(&ground.journal(), &ground.text());
}

/// `$ORCH_PYTHON` is a Python that has the package `mcp`.
#[test]
fn the_public_python_client_goes_through_a_whole_task() {
    let Some(python) = std::env::var_os("ORCH_PYTHON") else {
        eprintln!("SKIPPED: ORCH_PYTHON names no Python with the package `mcp`");
        return;
    };
    let ground = Ground::of_rows(2, "READY");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/mcp_client.py");
    let output = Command::new(python)
        .args([script, env!("CARGO_BIN_EXE_orch")])
        .arg(ground.root())
        .output()
        .expect("ORCH_PYTHON names a program");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    eprintln!("{}", said.trim_end());
    assert!(said.contains("all is well"), "{said}");
    unbroken(&ground.journal(), &ground.text());
}
