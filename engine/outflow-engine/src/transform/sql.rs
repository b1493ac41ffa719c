//! `sql`: the result of a query over the rows, which it calls `input`. It reads and changes nothing else.

use std::sync::Arc;

use datafusion::catalog::MemoryCatalogProviderList;
use datafusion::dataframe::DataFrame;
use datafusion::execution::SessionStateBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SQLOptions, SessionContext};
use datafusion::sql::parser::Statement;

use super::{Place, columns};
use crate::error::Result;

pub(super) async fn apply(query: &str, frame: DataFrame, place: Place) -> Result<DataFrame> {
    let failed = |error| place.query("the query", &error);
    // The engine's own columns say nothing about the rows of a query, so they end here.
    let visible = columns::visible(&frame).iter().map(|name| columns::column(name)).collect::<Vec<_>>();
    let (state, plan) = frame.select(visible).map_err(failed)?.into_parts();
    // A catalog of its own: other runs in the same session have an `input` too.
    let own = SessionStateBuilder::new_from_existing(state.clone())
        .with_config(state.config().clone().with_create_default_catalog_and_schema(true))
        .with_catalog_list(Arc::new(MemoryCatalogProviderList::new()))
        .build();
    let session = SessionContext::new_with_state(own);
    let view = DataFrame::new(state.clone(), plan).into_view();
    session.register_table("input", view).map_err(failed)?;
    let options = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    let own = session.state();
    let statement = own.sql_to_statement(query, &own.config().options().sql_parser.dialect).map_err(failed)?;
    if matches!(statement, Statement::CopyTo(_)) {
        return Err(place.error("the query writes files: write the SELECT that gives rows"));
    }
    let plan = own.statement_to_plan(statement).await.map_err(failed)?;
    options.verify_plan(&plan).map_err(failed)?;
    if matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_)) {
        return Err(place.error("the query describes a plan or a table: write the SELECT that gives rows"));
    }
    let result = DataFrame::new(state, plan);
    let texts = columns::visible(&result)
        .into_iter()
        .map(|name| columns::one_text_type(&result, columns::column(&name)).map(|expr| expr.alias(name)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(failed)?;
    result.select(texts).map_err(failed)
}
