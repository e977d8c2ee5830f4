"""Builds what the control plane asks."""

from tollway.factory.context import ProcessContext
from tollway.factory.jobs import JobFactory
from tollway.services.alias_list import AliasList
from tollway.services.alias_put import AliasPut
from tollway.services.alias_remove import AliasRemove
from tollway.services.audit_list import AuditList
from tollway.services.authenticate import Authenticator
from tollway.services.database_check import DatabaseCheck
from tollway.services.inference.explainer import Explainer
from tollway.services.key_issue import KeyIssue
from tollway.services.key_list import KeyList
from tollway.services.key_lookup import KeyLookup
from tollway.services.key_revoke import KeyRevoke
from tollway.services.key_rotate import KeyRotate
from tollway.services.ledger_audit import LedgerAudit
from tollway.services.ledger_explain import LedgerExplain
from tollway.services.ledger_query import LedgerQuery
from tollway.services.model_declare import ModelDeclare
from tollway.services.model_list import ModelList
from tollway.services.model_remove import ModelRemove
from tollway.services.organization_change import OrganizationChange
from tollway.services.organization_create import OrganizationCreate
from tollway.services.organization_delete import OrganizationDelete
from tollway.services.organization_list import OrganizationList
from tollway.services.price_list import PriceList
from tollway.services.price_override_list import PriceOverrideList
from tollway.services.price_override_put import PriceOverridePut
from tollway.services.price_override_remove import PriceOverrideRemove
from tollway.services.project_archive import ProjectArchive
from tollway.services.project_change import ProjectChange
from tollway.services.project_create import ProjectCreate
from tollway.services.project_list import ProjectList
from tollway.services.provider_change import ProviderChange
from tollway.services.provider_credentials import ProviderCredentials
from tollway.services.provider_list import ProviderList
from tollway.services.provider_register import ProviderRegister
from tollway.services.provider_remove import ProviderRemove
from tollway.services.quota_change import QuotaChange
from tollway.services.quota_list import QuotaList
from tollway.services.quota_put import QuotaPut
from tollway.services.route_explain import RouteExplain
from tollway.services.route_report import RouteReports
from tollway.services.usage_query import UsageQuery
from tollway.services.webhook_change import WebhookChange
from tollway.services.webhook_list import WebhookList
from tollway.services.worker_give_up import WorkerGiveUp
from tollway.services.worker_list import WorkerList


class Factory(JobFactory):
    """Builds the services of the control plane as well. One method a service, named as the service's file.

    Attributes:
        explainer: of the routes of this process; ``None`` if it is no worker.
    """

    def __init__(self, context: ProcessContext) -> None:
        super().__init__(context)
        self.explainer: Explainer | None = None

    def database_check(self) -> DatabaseCheck:
        """Asks whether the database answers."""
        return DatabaseCheck(self._context.database)

    def ledger_query(self) -> LedgerQuery:
        """Finds entries."""
        return LedgerQuery(self._context.database)

    def ledger_explain(self) -> LedgerExplain:
        """Shows the arithmetic of a charge."""
        return LedgerExplain(self.ledger_query())

    def ledger_audit(self) -> LedgerAudit:
        """Compares rollups and charges with the entries."""
        return LedgerAudit(self._context.database)

    def usage_query(self) -> UsageQuery:
        """Sums usage."""
        return UsageQuery(self._context.database)

    def authenticator_uncached(self) -> Authenticator:
        """Checks keys against the database itself: a new one, so that nothing is remembered."""
        return Authenticator(self._context.secret_keys.pepper, KeyLookup(self._context.database).find)

    def alias_list(self) -> AliasList:
        """Finds aliases."""
        return AliasList(self._context.database)

    def alias_put(self) -> AliasPut:
        """Sets aliases."""
        return AliasPut(self._context.database)

    def alias_remove(self) -> AliasRemove:
        """Removes aliases."""
        return AliasRemove(self._context.database)

    def key_issue(self) -> KeyIssue:
        """Makes keys."""
        return KeyIssue(self._context.database, self._context.secret_keys.pepper)

    def key_list(self) -> KeyList:
        """Finds keys."""
        return KeyList(self._context.database)

    def key_revoke(self) -> KeyRevoke:
        """Revokes keys."""
        return KeyRevoke(self._context.database)

    def key_rotate(self) -> KeyRotate:
        """Rotates keys."""
        return KeyRotate(self._context.database, self._context.secret_keys.pepper)

    def model_declare(self) -> ModelDeclare:
        """Declares models."""
        return ModelDeclare(self._context.database)

    def model_list(self) -> ModelList:
        """Finds declared models."""
        return ModelList(self._context.database)

    def model_remove(self) -> ModelRemove:
        """Takes declarations back."""
        return ModelRemove(self._context.database)

    def organization_change(self) -> OrganizationChange:
        """Changes organizations."""
        return OrganizationChange(self._context.database)

    def organization_create(self) -> OrganizationCreate:
        """Creates organizations."""
        return OrganizationCreate(self._context.database)

    def organization_delete(self) -> OrganizationDelete:
        """Deletes organizations that were never used."""
        return OrganizationDelete(self._context.database)

    def organization_list(self) -> OrganizationList:
        """Finds organizations."""
        return OrganizationList(self._context.database)

    def price_list(self) -> PriceList:
        """Finds effective prices."""
        return PriceList(self._context.database, self.price_book_load)

    def price_override_list(self) -> PriceOverrideList:
        """Finds price overrides."""
        return PriceOverrideList(self._context.database)

    def price_override_put(self) -> PriceOverridePut:
        """Sets prices."""
        return PriceOverridePut(self._context.database)

    def price_override_remove(self) -> PriceOverrideRemove:
        """Removes price overrides."""
        return PriceOverrideRemove(self._context.database)

    def project_archive(self) -> ProjectArchive:
        """Archives projects."""
        return ProjectArchive(self._context.database)

    def project_change(self) -> ProjectChange:
        """Changes projects."""
        return ProjectChange(self._context.database)

    def project_create(self) -> ProjectCreate:
        """Creates projects."""
        return ProjectCreate(self._context.database)

    def project_list(self) -> ProjectList:
        """Finds projects."""
        return ProjectList(self._context.database)

    def provider_change(self) -> ProviderChange:
        """Changes providers."""
        return ProviderChange(self._context.database, self._context.vault)

    def provider_credentials(self) -> ProviderCredentials:
        """Adds, rotates and removes further credentials of providers."""
        return ProviderCredentials(self._context.database, self._context.vault)

    def provider_list(self) -> ProviderList:
        """Finds providers."""
        return ProviderList(self._context.database)

    def provider_register(self) -> ProviderRegister:
        """Adds providers."""
        return ProviderRegister(self._context.database, self._context.vault)

    def route_explain(self) -> RouteExplain:
        """Says which attempts a request would lead to."""
        return RouteExplain(self._context.database, self.explainer)

    def route_reports(self) -> RouteReports:
        """Compares the targets of aliases."""
        return RouteReports(self._context.database)

    def provider_remove(self) -> ProviderRemove:
        """Removes providers."""
        return ProviderRemove(self._context.database)

    def quota_change(self) -> QuotaChange:
        """Changes, resets and removes budgets and limits."""
        return QuotaChange(self._context.database)

    def quota_list(self) -> QuotaList:
        """Finds budgets and limits."""
        return QuotaList(self._context.database)

    def quota_put(self) -> QuotaPut:
        """Sets budgets and limits."""
        return QuotaPut(self._context.database)

    def worker_give_up(self) -> WorkerGiveUp:
        """Gives up lost workers."""
        return WorkerGiveUp(self._context.database)

    def worker_list(self) -> WorkerList:
        """Finds workers."""
        return WorkerList(self._context.database)

    def audit_list(self) -> AuditList:
        """Finds events of the audit log."""
        return AuditList(self._context.database)

    def webhook_change(self) -> WebhookChange:
        """Creates, changes, tests and removes webhooks."""
        return WebhookChange(self._context.database, self._context.vault)

    def webhook_list(self) -> WebhookList:
        """Finds webhooks."""
        return WebhookList(self._context.database)
